import { describe, expect, it } from 'vitest';
import { eventId, eventOf } from '#consumers/webhooks/event.ts';
import { wants } from '#consumers/webhooks/match.ts';
import { detection, segmentation } from '../subscriber/results.ts';

const ALL = { cameras: undefined, labels: undefined, scoreMin: undefined };
const FOUND = detection([
  ['person', 0.4],
  ['car', 0.9],
]);

describe('a hook wants', () => {
  it('every result, also of a frame in which nothing was found, unless it says otherwise', () => {
    expect(wants(ALL, FOUND)).toBe(true);
    expect(wants(ALL, detection([]))).toBe(true);
  });

  it('none that its camera does not want', () => {
    expect(wants(ALL, detection([], { status: 'unwanted' }))).toBe(false);
  });

  it('those of its cameras', () => {
    expect(wants({ ...ALL, cameras: new Set(['gate']) }, FOUND)).toBe(true);
    expect(wants({ ...ALL, cameras: new Set(['yard']) }, FOUND)).toBe(false);
  });

  it('those with one of its labels, and that one with its score', () => {
    const labels = new Set(['person', 'dog']);
    expect(wants({ ...ALL, labels }, FOUND)).toBe(true);
    expect(wants({ ...ALL, labels: new Set(['dog']) }, FOUND)).toBe(false);
    expect(wants({ ...ALL, labels, scoreMin: 0.4 }, FOUND)).toBe(true);
    // The car's score is none of the person's.
    expect(wants({ ...ALL, labels, scoreMin: 0.5 }, FOUND)).toBe(false);
    expect(wants({ ...ALL, scoreMin: 0.5 }, FOUND)).toBe(true);
    expect(wants({ ...ALL, scoreMin: 0.95 }, FOUND)).toBe(false);
    expect(wants({ ...ALL, scoreMin: 0 }, detection([]))).toBe(false);
  });

  it('masks by their label', () => {
    const masks = segmentation([['road', 0.2]]);
    expect(wants({ ...ALL, labels: new Set(['road']) }, masks)).toBe(true);
    expect(wants({ ...ALL, labels: new Set(['sky']) }, masks)).toBe(false);
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
