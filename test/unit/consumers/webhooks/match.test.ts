import { describe, expect, it } from 'vitest';
import { eventId, eventOf } from '#consumers/webhooks/event.ts';
import { choose } from '#consumers/webhooks/match.ts';
import { detection, segmentation } from '../subscriber/results.ts';

const ALL = { cameras: undefined, labels: undefined, scoreMin: undefined, sendsShed: false };
const FOUND = detection([
  ['person', 0.4],
  ['car', 0.9],
]);

describe('a hook wants', () => {
  it('every result, also of a frame in which nothing was found, unless it says otherwise', () => {
    expect(choose(ALL, FOUND)).toBe('send');
    expect(choose(ALL, detection([]))).toBe('send');
  });

  it('none that its camera does not want', () => {
    expect(choose(ALL, detection([], { status: 'unwanted' }))).toBe('pass');
  });

  it('none that its head did not run on, unless it says so, and that is told apart', () => {
    const shed = detection([], { status: 'shed' });
    expect(choose(ALL, shed)).toBe('shed');
    const other = new Set(['yard']);
    expect(choose({ ...ALL, cameras: other }, shed)).toBe('pass');
    const people = { ...ALL, labels: new Set(['person']), scoreMin: 0.5 };
    expect(choose(people, shed), 'who knows whether there was one').toBe('shed');
    expect(choose({ ...people, sendsShed: true }, shed)).toBe('send');
    expect(choose({ ...ALL, cameras: other, sendsShed: true }, shed)).toBe('pass');
    // Of a newer writer.
    expect(choose(ALL, detection([], { status: 'unknown' }))).toBe('status-unknown');
  });

  it('those of its cameras', () => {
    expect(choose({ ...ALL, cameras: new Set(['gate']) }, FOUND)).toBe('send');
    expect(choose({ ...ALL, cameras: new Set(['yard']) }, FOUND)).toBe('pass');
  });

  it('those with one of its labels, and that one with its score', () => {
    const labels = new Set(['person', 'dog']);
    expect(choose({ ...ALL, labels }, FOUND)).toBe('send');
    expect(choose({ ...ALL, labels: new Set(['dog']) }, FOUND)).toBe('pass');
    expect(choose({ ...ALL, labels, scoreMin: 0.4 }, FOUND)).toBe('send');
    // The car's score is none of the person's.
    expect(choose({ ...ALL, labels, scoreMin: 0.5 }, FOUND)).toBe('pass');
    expect(choose({ ...ALL, scoreMin: 0.5 }, FOUND)).toBe('send');
    expect(choose({ ...ALL, scoreMin: 0.95 }, FOUND)).toBe('pass');
    expect(choose({ ...ALL, scoreMin: 0 }, detection([]))).toBe('pass');
  });

  it('masks by their label', () => {
    const masks = segmentation([['road', 0.2]]);
    expect(choose({ ...ALL, labels: new Set(['road']) }, masks)).toBe('send');
    expect(choose({ ...ALL, labels: new Set(['sky']) }, masks)).toBe('pass');
  });
});

describe('the id of an event', () => {
  const frame = { cameraId: 'gate', epoch: 1, sequence: 2 };

  it('is the same whenever, and other for another hook, head or frame', () => {
    const id = eventId('shop', 'detection', frame);
    // Receivers keep these ids: they may never change.
    expect(id).toBe('msg_6ac0bc68c2fafe7b7474669255bf2865');
    const others = [
      eventId('shop2', 'detection', frame),
      eventId('shop', 'segmentation', frame),
      eventId('shop', 'detection', { ...frame, cameraId: 'yard' }),
      eventId('shop', 'detection', { ...frame, epoch: 2 }),
      eventId('shop', 'detection', { ...frame, sequence: 3 }),
      // No two of them run together.
      eventId('shop', 'detection', { cameraId: 'gate-1', epoch: 2, sequence: 2 }),
    ];
    expect(new Set([id, ...others]).size).toBe(7);
  });

  it('comes with a line of follow --json', () => {
    const event = eventOf('shop', FOUND, 5, undefined);
    expect(event).toEqual({ id: eventId('shop', 'detection', FOUND), body: event.body });
    expect(JSON.parse(event.body)).toEqual({
      frameId: 'gate-1700000000000-7',
      ...FOUND,
      receivedTimeUs: 5,
    });
    expect(eventOf('shop', FOUND, 5, '00-trace')).toMatchObject({ traceparent: '00-trace' });
  });
});
