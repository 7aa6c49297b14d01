import { describe, expect, it } from 'vitest';
import { FrameMemory } from '#consumers/inference/dedupe.ts';
import type { Outcome } from '#consumers/inference/delivery.ts';

const frame = (cameraId: string, epoch: number, sequence: number) => ({
  cameraId,
  epoch,
  sequence,
});

describe('what was processed is known again', () => {
  it('a sequence that is not higher, of the same camera and epoch', () => {
    const memory = new FrameMemory();
    memory.add(frame('a', 100, 5));
    expect(memory.has(frame('a', 100, 5))).toBe(true);
    expect(memory.has(frame('a', 100, 4))).toBe(true);
    expect(memory.has(frame('a', 100, 6))).toBe(false);
    expect(memory.has(frame('b', 100, 5))).toBe(false);
  });

  it('also of an epoch before the newest', () => {
    const memory = new FrameMemory();
    memory.add(frame('a', 100, 5));
    memory.add(frame('a', 200, 0));
    expect(memory.has(frame('a', 100, 5))).toBe(true);
  });

  it('but an epoch with a lower number, of a host whose clock was set back, is new', () => {
    const memory = new FrameMemory();
    memory.add(frame('a', 200, 9));
    expect(memory.has(frame('a', 100, 0))).toBe(false);
  });

  it('an older frame never lowers the memory', () => {
    const memory = new FrameMemory();
    memory.add(frame('a', 100, 5));
    memory.add(frame('a', 100, 3));
    expect(memory.has(frame('a', 100, 5))).toBe(true);
  });
});

describe('the note of a committed position', () => {
  it('holds the memory', () => {
    const memory = new FrameMemory();
    memory.add(frame('north-gate', 1_700_000_000_000, 5));
    memory.add(frame('cam_2.b', 1_700_000_000_001, 0));
    const again = FrameMemory.fromNote(memory.toNote(4000));
    expect(again.has(frame('north-gate', 1_700_000_000_000, 5))).toBe(true);
    expect(again.has(frame('north-gate', 1_700_000_000_000, 6))).toBe(false);
    expect(again.has(frame('cam_2.b', 1_700_000_000_001, 0))).toBe(true);
  });

  it('leaves out the cameras not seen for longest when there is no room', () => {
    const memory = new FrameMemory();
    for (let index = 0; index < 200; index++)
      memory.add(frame(`cam-${index}`, 1_700_000_000_000, 1));
    memory.add(frame('cam-0', 1_700_000_000_000, 2));
    const note = memory.toNote(1000);
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1000);
    const again = FrameMemory.fromNote(note);
    expect(again.has(frame('cam-0', 1_700_000_000_000, 2))).toBe(true);
    expect(again.has(frame('cam-199', 1_700_000_000_000, 1))).toBe(true);
    expect(again.has(frame('cam-1', 1_700_000_000_000, 1))).toBe(false);
  });

  it('may be empty or of someone else', () => {
    for (const note of ['', 'made by a console tool', 'a b c;1 cam', '{"x": [1 2 3]}']) {
      expect(FrameMemory.fromNote(note).toNote(4000)).toBe('');
    }
  });
});

it('forgets the camera not seen for longest, and stays bounded', () => {
  const memory = new FrameMemory();
  for (let index = 0; index < 5000; index++) memory.add(frame(`cam-${index}`, 1, 1));
  expect(memory.has(frame('cam-0', 1, 1))).toBe(false);
  expect(memory.has(frame('cam-4999', 1, 1))).toBe(true);
  expect(memory.toNote(1e9).split(';').length).toBeLessThanOrEqual(1024);
});

describe('redriven frames', () => {
  const redriven = (memory: FrameMemory, sequence: number, kind: Outcome['kind']) =>
    memory.addSettled({
      identity: frame('a', 100, sequence),
      redrives: 1,
      outcome: { kind, records: [], counters: [] },
    });

  it('are known one by one, whatever comes before and after them', () => {
    const memory = new FrameMemory();
    memory.add(frame('a', 100, 9));
    expect(memory.has(frame('a', 100, 5), 1)).toBe(false);
    redriven(memory, 5, 'results');
    expect(memory.has(frame('a', 100, 5), 1)).toBe(true);
    expect(memory.has(frame('a', 100, 5), 2)).toBe(true);
    expect(memory.has(frame('a', 100, 4), 1)).toBe(false);
    expect(memory.has(frame('a', 100, 10))).toBe(false);
  });

  it('may come again when they are dead letters again', () => {
    const memory = new FrameMemory();
    redriven(memory, 5, 'dead-letter');
    expect(memory.has(frame('a', 100, 5), 1)).toBe(false);
  });

  it('stay in the note, in parts that older readers skip', () => {
    const memory = new FrameMemory();
    memory.add(frame('a', 100, 9));
    redriven(memory, 5, 'results');
    const note = memory.toNote(4000);
    expect(note).toBe('r 100 a 5;100 a 9');
    const again = FrameMemory.fromNote(note);
    expect(again.has(frame('a', 100, 5), 1)).toBe(true);
    expect(again.has(frame('a', 100, 9))).toBe(true);
    expect(again.has(frame('a', 100, 6), 1)).toBe(false);
  });

  it('leave most of the note to cameras, and are bounded', () => {
    const memory = new FrameMemory();
    for (let index = 0; index < 3000; index++) redriven(memory, index, 'results');
    for (let index = 0; index < 200; index++) memory.add(frame(`cam-${index}`, 100, 1));
    expect(memory.has(frame('a', 100, 0), 1)).toBe(false);
    const note = memory.toNote(1000);
    expect(note.length).toBeLessThanOrEqual(1000);
    const again = FrameMemory.fromNote(note);
    expect(again.has(frame('a', 100, 2999), 1)).toBe(true);
    expect(again.has(frame('cam-199', 100, 1))).toBe(true);
    expect(
      note.split(';').filter((part) => part.startsWith('cam') || / cam/.test(part)).length,
    ).toBeGreaterThan(30);
  });
});
