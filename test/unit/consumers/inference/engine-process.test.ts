import { afterEach, describe, expect, it } from 'vitest';
import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type {
  BatchOutput,
  EngineChannel,
  EngineSettings,
} from '#consumers/inference/engine-protocol.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
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

function goldenBatch() {
  return {
    symbols: Int16Array.from(CASES.flatMap(({ symbols }) => symbols)),
    channels: 4,
    height: 8,
    width: 8,
    ratePoints: CASES.map(({ ratePoint }) => ratePoint),
    geometries: CASES.map(({ content: [x0 = 0, y0 = 0, x1 = 1, y1 = 1] }) => ({
      inputWidth: 64,
      inputHeight: 64,
      content: { x: x0 * 64, y: y0 * 64, width: (x1 - x0) * 64, height: (y1 - y0) * 64 },
    })),
  };
}

function expectGolden({ findings }: BatchOutput): void {
  for (const [index, golden] of CASES.entries()) {
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
    expect(new Set(goldenBatch().ratePoints).size).toBe(2);
    expectGolden(output);
    expect(output.heads).toHaveLength(3);
    for (const { startUs, endUs } of [output.body, ...output.heads]) {
      expect(endUs).toBeGreaterThanOrEqual(startUs);
    }
  });

  it('runs the active heads only', async () => {
    const { engine } = createEngine({ heads: ['segmentation'] });
    await engine.open();
    const { findings } = await engine.run(goldenBatch());
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

  it('says that a batch of the wrong shape failed, and goes on', async () => {
    const { engine, channels } = createEngine();
    await engine.open();
    const wrong = { ...goldenBatch(), channels: 2, height: 16 };
    await expect(engine.run(wrong)).rejects.toMatchObject({ code: 'inference-failed' });
    expectGolden(await engine.run(goldenBatch()));
    expect(channels.length).toBe(1);
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
