import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { writeContainer } from '#codec/container-v2.ts';
import { shortHash } from '#codec/tables.ts';
import { Engine, type ShadowOutputs } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type {
  BatchOutput,
  EngineBatch,
  EngineChannel,
  EngineFrame,
  EngineSettings,
  PlacedHead,
  ShadowOutput,
} from '#consumers/inference/engine-protocol.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { loadHeadOf } from '#models/added-head.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { type AddedHeadChanges, storeHead } from '#test/fixtures/added-head.ts';
import { garbled } from '#test/fixtures/garbled-bitstream.ts';
import { TINY_BUNDLE, tinyCases } from '#test/unit/models/tiny.ts';

/** The real process with real sessions, on the tiny bundle. */
const engines: Engine[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

function createEngine(changes: Partial<EngineSettings> = {}) {
  const shadows: ShadowOutputs[] = [];
  const refused: string[] = [];
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
    shadows: {
      onBatch: (_, outputs) => void shadows.push(outputs),
      onRefused: (all) => void refused.push(...all.map(({ message }) => message)),
    },
    onFailed: () => undefined,
  });
  engines.push(engine);
  return { engine, channels, exits, shadows, refused };
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

/** A head that is in its folder. */
async function placedHead(changes: AddedHeadChanges = {}): Promise<PlacedHead> {
  const { task = 'detection', version = '2' } = changes;
  const heads = await mkdtemp(join(tmpdir(), 'halfsight-heads-'));
  folders.push(heads);
  await storeHead(heads, changes);
  const { directory, digest } = await loadHeadOf(heads, task, version, bundle);
  return { version, directory, digest };
}

/** A segmentation network: its outputs are not those of a detection head. */
const OTHER_NETWORK = await readFile(join(TINY_BUNDLE, 'head-segmentation.onnx'));

function boxCounts(findings: readonly (Finding | undefined)[]): number[] {
  return findings.map((one) => (one?.task === 'detection' ? one.detections.length : -1));
}

describe('a head that came after its bundle', () => {
  it('runs in place of its own one, and is named', async () => {
    const head = await placedHead({ spec: { scoreMin: 0.99 } });
    const { engine } = createEngine({ replacements: { detection: head } });
    await engine.open();
    const output = await engine.run(goldenBatch());
    const [classified = [], detected = []] = [0, 1].map((place) =>
      findingsOf(output).map((findings) => findings[place]),
    );
    expect(boxCounts(detected)).toEqual(CASES.map(() => 0));
    expect(classified.map((finding) => finding?.task)).toEqual(CASES.map(() => 'classification'));
    expect(output.added).toMatchObject({ detection: { version: '2', digest: head.digest } });
  });

  it('runs in shadow on the same features, where it is asked to', async () => {
    const shadow = await placedHead({ spec: { scoreMin: 0.99 } });
    const { engine, shadows, refused } = createEngine({ shadows: { detection: shadow } });
    await engine.open();
    expectGolden(await engine.run({ ...goldenBatch(), shadows: true }));
    await expect.poll(() => shadows.length, { timeout: 20_000 }).toBe(1);
    const [[ran] = []] = shadows as [ShadowOutput[]];
    expect(ran).toMatchObject({ task: 'detection', interval: { startUs: expect.any(Number) } });
    expect(ran !== undefined && 'findings' in ran && boxCounts(ran.findings)).toEqual(
      CASES.map(() => 0),
    );
    expectGolden(await engine.run({ ...goldenBatch(), shadows: false }));
    expect(shadows).toEqual([[ran], 'left-out']);
    expect(refused).toEqual([]);
  });

  it.each([
    ['that is no model', { onnx: Buffer.from('no model') }, 'cannot be opened as an ONNX model'],
    ['with the outputs of another task', { onnx: OTHER_NETWORK }, 'is missing, not [1, boxes]'],
    [
      'with outputs of another shape',
      { spec: { outputs: { boxes: 'scores', scores: 'scores', classes: 'classes' } } },
      'is [1, 4], not [1, 4, 4]',
    ],
  ])('%s is refused, and as a shadow it is left out', async (_, changes, says) => {
    const head = await placedHead(changes);
    const { engine: live } = createEngine({ replacements: { detection: head } });
    await expect(live.open()).rejects.toThrow(says);
    const { engine, refused } = createEngine({ shadows: { detection: head } });
    await engine.open();
    expect(refused).toEqual([expect.stringContaining(says)]);
    expectGolden(await engine.run({ ...goldenBatch(), shadows: true }));
  });

  it('is refused when its folder holds another one by then', async () => {
    const head = await placedHead();
    const digest = '0'.repeat(64);
    const { engine } = createEngine({ replacements: { detection: { ...head, digest } } });
    await expect(engine.open()).rejects.toMatchObject({ code: 'head-digest-mismatch' });
  });
});
