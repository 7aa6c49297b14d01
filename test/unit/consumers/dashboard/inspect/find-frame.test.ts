import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findFrame } from '#consumers/dashboard/inspect/find-frame.ts';
import type { MissingFrame } from '#consumers/dashboard/inspect/inspection.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import { REDRIVEN_FROM_HEADER } from '#schemas/redriven-from.ts';
import { CAMERAS, storedFrames } from './stored-frames.ts';

const EPOCH = 1_700_000_000_000;
const PERIOD_MS = 100;
const VALUE = Buffer.alloc(4_000);

function frameOf(cameraId: string, sequence: number, epoch = EPOCH): FrameIdentity {
  return { cameraId, epoch, sequence };
}

function captureTimeUs({ epoch, sequence }: FrameIdentity): number {
  return 1000 * (epoch + sequence * PERIOD_MS);
}

/** Cameras of one partition, each publishing in order; `gate` dropped every tenth frame. */
function scene(count = 400) {
  const stored = storedFrames();
  for (let sequence = 0; sequence < count; sequence++) {
    for (const cameraId of CAMERAS) {
      if (cameraId === 'gate' && sequence % 10 === 9) continue;
      stored.publish(frameOf(cameraId, sequence), EPOCH + sequence * PERIOD_MS + 20, VALUE);
    }
  }
  const find = (frame: FrameIdentity, atUs: number | undefined) =>
    stored.drive(findFrame(frame, atUs, stored));
  return { ...stored, find };
}

function found(answer: IncomingRecord | MissingFrame): string {
  if ('found' in answer) return answer.detail;
  return Buffer.from(answer.headers['frame-id'] ?? []).toString();
}

describe('findFrame', () => {
  it('finds any frame, with its capture time and without', async () => {
    const { find } = scene();
    for (const sequence of [0, 1, 57, 198, 398]) {
      const frame = frameOf('gate', sequence);
      expect(found(await find(frame, undefined))).toBe(frameId(frame));
      expect(found(await find(frame, captureTimeUs(frame)))).toBe(frameId(frame));
    }
  });

  it('finds a frame whose clock is far off', async () => {
    const { find } = scene();
    const frame = frameOf('gate', 57);
    for (const offMs of [-3_600_000, -5_000, 5_000, 20_000, 3_600_000]) {
      const atUs = captureTimeUs(frame) + 1000 * offMs;
      expect(found(await find(frame, atUs)), `${offMs} ms`).toBe(frameId(frame));
    }
  });

  it('reads less where it knows the time', async () => {
    const { find, broker, topic, clock, drive } = scene(4000);
    const reads = { known: 0, unknown: 0 };
    const counting = (name: keyof typeof reads) => ({
      broker: {
        ...broker,
        fetch: (request: Parameters<typeof broker.fetch>[0]) => {
          reads[name]++;
          return broker.fetch(request);
        },
      },
      ...{ topic, clock },
    });
    const frame = frameOf('gate', 3001);
    await drive(findFrame(frame, captureTimeUs(frame), counting('known')));
    await drive(findFrame(frame, undefined, counting('unknown')));
    expect(reads.known).toBeLessThan(5);
    expect(reads.unknown).toBeLessThan(20);
    expect(found(await find(frame, undefined))).toBe(frameId(frame));
  });

  it('says that a frame was dropped, is still to come, or never was', async () => {
    const { find } = scene();
    const [before, after] = [frameOf('gate', 58), frameOf('gate', 60)].map(frameId);
    for (const atUs of [undefined, captureTimeUs(frameOf('gate', 59))]) {
      expect(await find(frameOf('gate', 59), atUs)).toMatchObject({
        ...{ found: false, frameId: `gate-${EPOCH}-59`, reason: 'not-found' },
        detail: expect.stringContaining(`between ${before} and ${after} there is none: its agent`),
      });
    }
    expect(await find(frameOf('gate', 900), undefined)).toMatchObject({
      reason: 'not-found',
      detail: `the newest frame of camera gate is gate-${EPOCH}-398 so far.`,
    });
    expect(await find(frameOf('gate', 0, EPOCH - 1), undefined)).toMatchObject({
      reason: 'not-found',
      detail: `the first frame of camera gate is gate-${EPOCH}-0.`,
    });
    expect(await find(frameOf('gate', 7, EPOCH + 1), undefined)).toMatchObject({
      detail: `the newest frame of camera gate is gate-${EPOCH}-398 so far.`,
    });
    expect(await find(frameOf('ghost', 0), undefined)).toMatchObject({
      reason: 'not-found',
      detail: 'there is no frame of camera ghost on the topic.',
    });
  });

  it('says that Kafka has deleted it', async () => {
    const { find, publish, log } = scene();
    log('gate').deleteAll();
    publish(frameOf('gate', 400), EPOCH + 40_020);
    for (const atUs of [undefined, captureTimeUs(frameOf('gate', 58))]) {
      expect(await find(frameOf('gate', 58), atUs)).toMatchObject({
        reason: 'deleted',
        detail:
          `Kafka has no frame before gate-${EPOCH}-400 of camera gate any more: ` +
          "the topic's retention is over.",
      });
    }
    expect(found(await find(frameOf('gate', 400), undefined))).toBe(`gate-${EPOCH}-400`);
  });

  it('finds what came out of a disk behind the next epoch, and what was put back', async () => {
    const { find, publish } = scene();
    const next = EPOCH + 60_000;
    for (let sequence = 0; sequence < 30; sequence++) {
      publish(frameOf('gate', sequence, next), next + sequence * PERIOD_MS);
      if (sequence > 10) publish(frameOf('gate', 400 + sequence), next + sequence * PERIOD_MS + 1);
    }
    const redriven = { [REDRIVEN_FROM_HEADER]: '1:5 1' };
    publish(frameOf('gate', 3), next + 90_000, Buffer.of(1), redriven);
    for (let sequence = 30; sequence < 90; sequence++) {
      publish(frameOf('gate', sequence, next), next + sequence * PERIOD_MS);
    }
    for (const frame of [
      ...[frameOf('gate', 411), frameOf('gate', 420), frameOf('gate', 429)],
      ...[0, 12, 25, 29, 31, 89].map((sequence) => frameOf('gate', sequence, next)),
      ...[frameOf('gate', 3), frameOf('gate', 397)],
    ]) {
      expect(found(await find(frame, undefined)), 'without its time').toBe(frameId(frame));
      expect(found(await find(frame, captureTimeUs(frame))), 'with it').toBe(frameId(frame));
    }
  });

  it('gives up in time', async () => {
    const { find, publish, clock } = scene(10);
    for (let sequence = 0; sequence < 200_000; sequence++) {
      publish(frameOf('lobby', 10 + sequence), EPOCH + sequence, Buffer.alloc(1));
    }
    const startMs = clock.monotonicMs();
    const answer = await find(frameOf('gate', 9), undefined);
    expect(answer).toMatchObject({ found: false, reason: 'gave-up' });
    expect(clock.monotonicMs() - startMs).toBeLessThan(1.1 * LIMITS.inspectTimeoutMs);
  });

  it('goes on where nothing more is committed', async () => {
    const { find, log } = scene(10);
    const open = { state: 'open' as const };
    const record = { key: 'gate', value: Buffer.of(1), headers: {}, timestampMs: EPOCH + 5_000 };
    log('gate').append([record, record, record], open);
    expect(await find(frameOf('gate', 9), undefined)).toMatchObject({ reason: 'not-found' });
    expect(found(await find(frameOf('gate', 8), undefined))).toBe(`gate-${EPOCH}-8`);
  });

  it('finds every frame that is there, and no other, whatever was dropped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.nat(3)), { minLength: 1, maxLength: 120 }),
        fc.option(fc.integer({ min: -60_000, max: 60_000 })),
        async (steps, offMs) => {
          const { publish, drive, ...options } = storedFrames();
          const sequences = [0, 0, 0];
          const there: FrameIdentity[] = [];
          for (const [camera, skipped] of steps) {
            const sequence = (sequences[camera] ?? 0) + skipped;
            sequences[camera] = sequence + 1;
            const frame = frameOf(CAMERAS[camera] ?? '', sequence);
            there.push(frame);
            publish(frame, captureTimeUs(frame) / 1000);
          }
          const ids = new Set(there.map(frameId));
          for (let sequence = 0; sequence < (sequences[0] ?? 0); sequence += 7) {
            const wanted = frameOf('gate', sequence);
            const atUs = offMs === null ? undefined : captureTimeUs(wanted) + 1000 * offMs;
            const answer = await drive(findFrame(wanted, atUs, options));
            expect('found' in answer).toBe(!ids.has(frameId(wanted)));
            if (!('found' in answer)) expect(found(answer)).toBe(frameId(wanted));
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
