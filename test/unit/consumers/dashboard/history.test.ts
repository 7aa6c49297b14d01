import { describe, expect, it } from 'vitest';
import { History, type ResultFacts } from '#consumers/dashboard/history.ts';
import { LIMITS } from '#runtime/limits.ts';

const STEP = LIMITS.historyStepMs;
const STEPS = LIMITS.historyMs / STEP;
/** The beginning of a step. */
const START = 1_700_000_000_000;

function facts(sequence: number, changes: Partial<ResultFacts> = {}): ResultFacts {
  const frame = { cameraId: 'gate', epoch: 1, sequence };
  return { ...frame, ageMs: 100, bitstreamBytes: 4_096, ...changes };
}

describe('History', () => {
  it('counts each frame at its first result, whichever head it is of', () => {
    const history = new History();
    for (let sequence = 0; sequence < 50; sequence++) {
      const nowMs = START + sequence * 200;
      history.enterResult(facts(sequence, { ageMs: sequence, labels: ['car'] }), nowMs);
      history.enterResult(facts(sequence, { ageMs: 9_000 }), nowMs + 1);
    }
    expect(history.read('gate', START + STEP)).toEqual({
      ...{ cameraId: 'gate', stepMs: STEP, startMs: START },
      framesPerSecond: [5],
      kilobytesPerFrame: [4],
      ageMs: [expect.any(Number)],
      ageMsMax: [49],
      dropped: [null],
      labels: [{ label: 'car', perFrame: [1] }],
    });
    const [median] = history.read('gate', START + STEP)?.ageMs ?? [];
    expect(median).toBeGreaterThanOrEqual(20);
    expect(median).toBeLessThanOrEqual(30);
  });

  it('leaves out the step under way, and has nothing where nothing was', () => {
    const history = new History();
    history.enterResult(facts(0), START);
    history.enterResult(facts(1), START + 3 * STEP);
    const read = history.read('gate', START + 3 * STEP + 1);
    expect(read?.framesPerSecond).toEqual([0.1, null, null]);
    expect(read?.ageMs).toEqual([100, null, null]);
    expect(history.read('gate', START + 4 * STEP)?.framesPerSecond).toEqual([0.1, null, null, 0.1]);
    expect(history.read('yard', START)).toBeUndefined();
  });

  it('has frames without an age, and no age of them', () => {
    const history = new History();
    history.enterResult(facts(0, { ageMs: undefined }), START);
    history.enterResult(facts(1), START + STEP);
    history.enterResult(facts(2, { ageMs: undefined }), START + STEP + 1);
    const read = history.read('gate', START + 2 * STEP);
    expect(read?.framesPerSecond).toEqual([0.1, 0.2]);
    expect(read?.ageMs).toEqual([null, 100]);
    expect(read?.ageMsMax).toEqual([null, 100]);
  });

  it('keeps an hour, whatever came before', () => {
    const history = new History();
    for (let step = 0; step < 2 * STEPS; step++) {
      history.enterResult(facts(step, { ageMs: step, labels: ['car'] }), START + step * STEP);
    }
    const read = history.read('gate', START + 2 * STEPS * STEP);
    expect(read?.ageMsMax).toHaveLength(STEPS - 1);
    expect(read?.startMs).toBe(START + (STEPS + 1) * STEP);
    expect(read?.ageMsMax[0]).toBe(STEPS + 1);
    expect(read?.ageMsMax.at(-1)).toBe(2 * STEPS - 1);
    const later = history.read('gate', START + 4 * STEPS * STEP);
    expect(later?.framesPerSecond.every((value) => value === null)).toBe(true);
    expect(later?.labels).toEqual([]);
  });

  it('counts what an agent drops while it is looked at, epoch by epoch', () => {
    const history = new History();
    const status = (epoch: number, dropped: number, step: number) =>
      history.enterStatus({ cameraId: 'gate', epoch, dropped }, START + step * STEP);
    status(1, 70, 0);
    status(1, 75, 1);
    status(1, 75, 1.1);
    status(2, 3, 2);
    // Of the epoch before, told by whoever had the camera then.
    status(1, 99, 2.1);
    status(2, 4, 4);
    expect(history.read('gate', START + 5 * STEP)?.dropped).toEqual([0, 5, 3, null, 1]);
  });

  it('has a series for some labels, and one for all others', () => {
    const history = new History();
    const labels = Array.from({ length: LIMITS.historyLabelsMax + 4 }, (_, at) => `label-${at}`);
    history.enterResult(facts(0, { labels: [...labels, 'label-1', 'label-1'] }), START);
    history.enterResult(facts(1, { labels: [] }), START + 1);
    const read = history.read('gate', START + STEP)?.labels ?? [];
    expect(read).toHaveLength(LIMITS.historyLabelsMax + 1);
    expect(read[0]).toEqual({ label: 'label-1', perFrame: [1.5] });
    expect(read.at(-1)).toEqual({ label: 'other', perFrame: [2] });
    // An hour later others may have the series.
    history.enterResult(facts(2, { labels: ['new'] }), START + (STEPS + 1) * STEP);
    const [newest] = history.read('gate', START + (STEPS + 2) * STEP)?.labels ?? [];
    expect(newest?.label).toBe('new');
    expect(newest?.perFrame.at(-1)).toBe(1);
  });

  it('does not count what no head looked for', () => {
    const history = new History();
    history.enterResult(facts(0, { labels: ['car', 'car'] }), START);
    history.enterResult(facts(1), START + 1);
    history.enterResult(facts(2), START + STEP);
    const [cars] = history.read('gate', START + 2 * STEP)?.labels ?? [];
    expect(cars?.perFrame).toEqual([2, null]);
  });

  it('samples ages evenly, however many there are', () => {
    const history = new History();
    for (let sequence = 0; sequence < 600; sequence++) {
      history.enterResult(facts(sequence, { ageMs: sequence }), START + sequence);
    }
    const [median] = history.read('gate', START + STEP)?.ageMs ?? [];
    expect(median).toBeGreaterThan(250);
    expect(median).toBeLessThan(350);
  });

  it('stays in the newest step when the clock goes back', () => {
    const history = new History();
    history.enterResult(facts(0), START + 5 * STEP);
    history.enterResult(facts(1), START);
    expect(history.read('gate', START + 6 * STEP)?.framesPerSecond).toEqual([0.2]);
  });

  it('holds a whole fleet within its budget; the most silent camera makes room', () => {
    const history = new History();
    const most = Math.floor(
      LIMITS.historyBytesMax / (history.bytes || LIMITS.historyCameraBytesMax),
    );
    expect(most).toBeGreaterThanOrEqual(LIMITS.fleetCamerasMax);
    let count = 0;
    do {
      history.enterResult(facts(0, { cameraId: `camera-${count}` }), START + count);
      count++;
    } while (history.cameraCount === count);
    expect(history.cameraCount).toBe(count - 1);
    expect(history.cameraCount).toBeGreaterThanOrEqual(LIMITS.fleetCamerasMax);
    expect(history.bytes).toBeLessThanOrEqual(LIMITS.historyBytesMax);
    expect(history.read('camera-0', START)).toBeUndefined();
    expect(history.read('camera-1', START)).toBeDefined();
    history.forget('camera-1');
    expect(history.cameraCount).toBe(count - 2);
  });
});
