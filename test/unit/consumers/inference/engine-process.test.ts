import { afterEach, describe, expect, it } from 'vitest';
import { writeContainer } from '#codec/container-v2.ts';
import { shortHash } from '#codec/tables.ts';
import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type {
  BatchOutput,
  EngineBatch,
  EngineChannel,
  EngineFrame,
  EngineSettings,
} from '#consumers/inference/engine-protocol.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { garbled } from '#test/fixtures/garbled-bitstream.ts';
import { TINY_BUNDLE, tinyCases } from '#test/unit/models/tiny.ts';

/** The real process with real sessions, on the tiny bundle. */
const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

function createEngine(changes: Partial<EngineSettings> = {}) {
  const channels: EngineChannel[] = [];
  const exits: string[] = [];
  const engine = new Engine({
    spawn: () => {
      const channel = forkEngine();
      channels.push(channel);
      channel.onExit((how) => exits.push(how));
      return channel;
    },
    settings: {
      bundleDirectory: TINY_BUNDLE,
      heads: ['classification', 'detection', 'segmentation'],
      provider: 'cpu',
      threads: 1,
      ...changes,
    },
    clock: systemClock,
    logger: silentLogger,
    telemetry: new Telemetry(),
    onFailed: () => undefined,
  });
  engines.push(engine);
  return { engine, channels, exits };
}

const CASES = tinyCases();
const bundle = await loadBundle(TINY_BUNDLE);

function goldenBatch(): EngineBatch {
  return {
    frames: CASES.map(({ rans, ratePoint, content: [x0 = 0, y0 = 0, x1 = 1, y1 = 1] }) => ({
      bitstream: bitstreamOf(rans, ratePoint),
      geometry: {
        inputWidth: 64,
        inputHeight: 64,
        content: { x: x0 * 64, y: y0 * 64, width: (x1 - x0) * 64, height: (y1 - y0) * 64 },
      },
    })),
  };
}

/** CompressAI's stream of a case, in our container. */
function bitstreamOf(rans: string, ratePoint: number): Uint8Array {
  const tables = defined(bundle.tablesByRatePoint[ratePoint], 'tables');
  const payload = new Uint8Array(Buffer.from(rans, 'hex'));
  const shape = bundle.latentShape();
  return writeContainer({
    header: {
      ...shape,
      frameType: 'intra',
      referenceSequence: undefined,
      ratePoint,
      tableHash: shortHash(tables.hash),
      side: undefined,
    },
    sidePayload: undefined,
    chunks: [{ channelCount: shape.channels, payload }],
  });
}

function findingsOf({ frames }: BatchOutput): (readonly Finding[])[] {
  return frames.map((frame) => ('findings' in frame ? frame.findings : []));
}

function expectGolden(output: BatchOutput, skipped?: number): void {
  const findings = findingsOf(output);
  expect(findings).toHaveLength(CASES.length);
  for (const [index, golden] of CASES.entries()) {
    if (index === skipped) continue;
    const [classified, detected, segmented] = findings[index] ?? [];
    const best = [...golden.probabilities].sort((a, b) => b - a);
    expect(classified?.task === 'classification' && classified.classifications).toMatchObject(
      best.map((score) => ({ score })),
    );
    const scores = golden.scores.filter((score) => score >= 0.3).sort((a, b) => b - a);
    expect(detected?.task === 'detection' && detected.detections).toMatchObject(
      scores.map((score) => ({ score })),
    );
    expect(segmented?.task === 'segmentation' && segmented.masks.length).toBeGreaterThan(0);
  }
}

describe('the engine process', () => {
  it('runs the body once and every head, for frames of two rate points in one batch', async () => {
    const { engine } = createEngine();
    await engine.open();
    const output = await engine.run(goldenBatch());
    expect(new Set(CASES.map(({ ratePoint }) => ratePoint)).size).toBe(2);
    expectGolden(output);
    expect(output.heads).toHaveLength(3);
    for (const { startUs, endUs } of [output.decode, output.body, ...output.heads]) {
      expect(endUs).toBeGreaterThanOrEqual(startUs);
    }
  });

  it('runs the active heads only', async () => {
    const { engine } = createEngine({ heads: ['segmentation'] });
    await engine.open();
    const findings = findingsOf(await engine.run(goldenBatch()));
    expect(findings.map((list) => list.map(({ task }) => task))).toEqual(
      CASES.map(() => ['segmentation']),
    );
  });

  it('is replaced when it is killed, and what was not running is not lost', async () => {
    const { engine, channels } = createEngine();
    await engine.open();
    // Which of them runs when the signal arrives is the process's business: that one may fail.
    const batches = Array.from({ length: 6 }, () => engine.run(goldenBatch()));
    channels[0]?.kill();
    const outcomes = await Promise.allSettled(batches);
    const failed = outcomes.filter(({ status }) => status === 'rejected');
    expect(failed.length).toBeLessThanOrEqual(1);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') expectGolden(outcome.value);
    expectGolden(await engine.run(goldenBatch()));
    expect(channels.length).toBe(2);
  });

  it.each([
    ['cannot be decoded', 'bitstream-malformed', garbled],
    ['is no bitstream', 'bitstream-malformed', () => Uint8Array.of(1, 2, 3)],
  ])('says which frame %s; its companions lose nothing', async (_, code, change) => {
    const { engine, channels } = createEngine();
    await engine.open();
    const { frames } = goldenBatch();
    const output = await engine.run({
      frames: frames.map((frame, index) =>
        index === 1 ? { ...frame, bitstream: change(frame.bitstream) } : frame,
      ),
    });
    expect(output.frames[1]).toMatchObject({ refusal: { code } });
    expectGolden(output, 1);
    expectGolden(await engine.run(goldenBatch()));
    expect(channels.length).toBe(1);
  });

  it('takes batches of any size after one another', async () => {
    const { engine } = createEngine();
    await engine.open();
    const [first, ...rest] = goldenBatch().frames;
    const whole = await engine.run(goldenBatch());
    const alone = await engine.run({ frames: [first as EngineFrame] });
    const others = await engine.run({ frames: rest });
    expect([...alone.frames, ...others.frames]).toEqual(whole.frames);
  });

  it('does not start without its provider: no silent fall-back', async () => {
    const { engine } = createEngine({ provider: 'cuda' });
    await expect(engine.open()).rejects.toMatchObject({ code: 'execution-provider-missing' });
  });

  it('does not start without its bundle', async () => {
    const { engine } = createEngine({ bundleDirectory: '/nowhere' });
    await expect(engine.open()).rejects.toMatchObject({ code: 'bundle-missing' });
  });

  it('releases its sessions and ends by itself', async () => {
    const { engine, exits } = createEngine();
    await engine.open();
    await engine.close();
    expect(exits).toEqual(['exit code 0']);
  });
});
