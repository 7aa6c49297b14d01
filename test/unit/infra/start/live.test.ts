import { describe, expect, it } from 'vitest';
import type { TopicEvent } from '#consumers/subscriber/balance-feed.ts';
import { LiveView, percentile } from '#infra/start/live.ts';
import { plainLine, renderLive } from '#infra/start/live-table.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import type { FrameRecord } from '#schemas/frame.ts';
import { detection } from '../../consumers/subscriber/results.ts';

const START_US = 1_700_000_000_000_000;

function frame(bytes: number): TopicEvent {
  return { kind: 'frame', frame: { cameraId: 'gate' } as FrameRecord, bytes };
}

function status(epoch: number, dropped: number, state = 'online'): TopicEvent {
  const facts = { cameraId: 'gate', epoch, state, dropped: { busy: dropped } };
  return { kind: 'status', status: facts as unknown as CameraStatus };
}

function seconds(count: number): number {
  return START_US + count * 1e6;
}

describe('LiveView', () => {
  it('shows rate and size over the last seconds, and falls to 0 when a camera goes silent', () => {
    const view = new LiveView(['gate']);
    for (let index = 0; index <= 20; index++) view.enter(frame(4096), seconds(index / 2));
    const [row] = view.rows(seconds(10));
    expect(row?.framesPerSecond).toBeCloseTo(2, 5);
    expect(row?.kilobytesPerFrame).toBe(4);
    expect(view.rows(seconds(20))[0]).toMatchObject({ framesPerSecond: 0, kilobytesPerFrame: 4 });
  });

  it('adds up the drops of all epochs, once each', () => {
    const view = new LiveView(['gate']);
    for (const [epoch, dropped] of [
      [1, 2],
      [1, 5],
      [2, 1],
      [1, 5], // The final status of the first epoch may be late.
      [2, 3],
    ] as const) {
      view.enter(status(epoch, dropped), START_US);
    }
    expect(view.rows(START_US)[0]).toMatchObject({ state: 'online', dropped: 8 });
  });

  it('shows a camera as its newest owner says it is', () => {
    const view = new LiveView(['gate']);
    const stateAfter = (epoch: number, state: string) => {
      view.enter(status(epoch, 0, state), START_US);
      return view.rows(START_US)[0]?.state;
    };
    expect(stateAfter(1, 'online')).toBe('online');
    expect(stateAfter(0, 'connecting'), 'it has no epoch yet').toBe('connecting');
    expect(stateAfter(2, 'online')).toBe('online');
    expect(stateAfter(1, 'offline'), 'the owner before').toBe('online');
    expect(stateAfter(2, 'offline')).toBe('offline');
  });

  it('shows what each task saw last, and how old results are on arrival', () => {
    const view = new LiveView(['gate', 'yard']);
    for (let age = 1; age <= 100; age++) {
      const result = detection([['person', 0.9]], { captureTimeUs: START_US - age * 1000 });
      view.enter({ kind: 'result', result }, START_US);
    }
    const [gate, yard] = view.rows(START_US);
    expect(gate?.ageMs).toEqual({ p50: 50, p95: 95 });
    expect(gate?.seen.get('detection')).toBe('1 person');
    expect(yard?.ageMs).toBeUndefined();
    expect(view.rows(seconds(60))[0]?.ageMs).toBeUndefined();
  });

  it('ignores cameras that are not ours', () => {
    const view = new LiveView(['yard']);
    view.enter(frame(1), START_US);
    expect(view.rows(START_US)).toHaveLength(1);
    expect(view.rows(START_US)[0]?.kilobytesPerFrame).toBeUndefined();
  });

  it('takes percentiles by nearest rank', () => {
    expect(percentile([3, 1, 2], 0.5)).toBe(2);
    expect(percentile([7], 0.95)).toBe(7);
  });
});

describe('the live table', () => {
  const view = new LiveView(['gate', 'yard']);
  view.enter(frame(4403), START_US);
  view.enter(status(1, 0), START_US);
  const result = detection(
    [
      ['person', 0.9],
      ['person', 0.8],
      ['car', 0.7],
    ],
    { captureTimeUs: START_US - 143_000 },
  );
  view.enter({ kind: 'result', result }, START_US);
  const rows = view.rows(START_US);

  it('lines up, and has a dash where nothing is known', () => {
    expect(renderLive(rows, ['detection', 'segmentation'], 120)).toEqual([
      'camera  state     fps  KB/frame  dropped  age p50     p95  detection        segmentation',
      'gate    online    1.0       4.3        0   143 ms  143 ms  2 person, 1 car  -',
      'yard    starting  0.0         -        0        -       -  -                -',
    ]);
  });

  it('is never wider than the terminal nor higher than asked', () => {
    const lines = renderLive(rows, ['detection', 'segmentation'], 70, 1);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(70);
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)).toBe('... and 1 more cameras');
  });

  it('is one line per camera where there is no terminal', () => {
    const [gate] = rows;
    expect(gate && plainLine(gate, ['detection'])).toBe(
      'gate  online  1.0 fps  4.3 KB/frame  0 dropped  age 143 ms (p95 143 ms)  ' +
        'detection: 2 person, 1 car',
    );
  });
});
