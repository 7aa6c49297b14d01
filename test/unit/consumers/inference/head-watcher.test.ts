import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineSettings } from '#consumers/inference/engine-protocol.ts';
import { firstHeads, HeadWatcher } from '#consumers/inference/head-watcher.ts';
import { loadBundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { storeHead, writeHeadsFile } from '#test/fixtures/added-head.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { ToldLog } from '#test/fixtures/told-log.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

const bundle = await loadBundle(TINY_BUNDLE);
const SETTINGS: EngineSettings = {
  bundleDirectory: TINY_BUNDLE,
  heads: ['classification', 'detection'],
  provider: 'cpu',
  threads: 1,
};
/** A file may take long to be read on a busy machine. */
const PATIENT = { timeout: 20_000 };
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function setUp() {
  const directory = await mkdtemp(join(tmpdir(), 'halfsight-heads-'));
  folders.push(directory);
  const clock = new ManualClock();
  const log = new ToldLog();
  const replaced: EngineSettings[] = [];
  const engine = {
    settings: SETTINGS,
    refuses: undefined as string | undefined,
    async replace(settings: EngineSettings) {
      replaced.push(settings);
      if (engine.refuses !== undefined) throw new HalfsightError('head-invalid', engine.refuses);
      engine.settings = settings;
    },
  };
  const watcher = new HeadWatcher({ directory, bundle, engine, clock, logger: log });
  const look = () => watcher.look(new AbortController().signal);
  const versions = () => ({
    live: engine.settings.replacements?.detection?.version,
    shadow: engine.settings.shadows?.detection?.version,
  });
  return { directory, clock, log, replaced, engine, watcher, look, versions };
}

describe('a look at the folder', () => {
  it('finds nothing to do where nothing is said', async () => {
    const { directory, look, replaced, log } = await setUp();
    await look();
    await writeHeadsFile(directory, {});
    await look();
    // The bundle's own head may also be named.
    await writeHeadsFile(directory, { detection: { live: '1' } });
    await look();
    expect(replaced).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it('puts a head into shadow, then makes it the live one, then goes back', async () => {
    const { directory, look, log, engine, versions } = await setUp();
    await storeHead(directory);
    await writeHeadsFile(directory, { detection: { shadow: '2' } });
    await look();
    expect(versions()).toEqual({ live: undefined, shadow: '2' });
    expect(engine.settings.shadows?.detection).toEqual({
      version: '2',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      directory: join(directory, 'detection-2'),
    });
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await look();
    expect(versions()).toEqual({ live: '2', shadow: undefined });
    await writeHeadsFile(directory, {});
    await look();
    expect(engine.settings).toEqual(SETTINGS);
    expect(log.lines).toMatchObject([
      { event: 'heads-changed', task: 'detection', live: '1', shadow: '2' },
      { event: 'heads-changed', live: '2', shadow: 'none' },
      { event: 'heads-changed', live: '1', shadow: 'none' },
    ]);
  });

  it('changes nothing twice', async () => {
    const { directory, look, replaced, clock } = await setUp();
    await storeHead(directory);
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await look();
    await clock.advance(2 * LIMITS.headRetryMsMax);
    await look();
    expect(replaced).toHaveLength(1);
  });

  it('leaves tasks alone that this consumer does not run', async () => {
    const { directory, look, replaced } = await setUp();
    await storeHead(directory, { task: 'segmentation' });
    await writeHeadsFile(directory, { segmentation: { live: '2' } });
    await look();
    expect(replaced).toEqual([]);
  });

  it('leaves what runs where the file is gone or cannot be read, and says so once', async () => {
    const { directory, look, log, versions } = await setUp();
    await storeHead(directory);
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await look();
    await rm(join(directory, 'heads.json'));
    await look();
    expect(log.events()).toEqual(['heads-changed']);
    await writeFile(join(directory, 'heads.json'), '{');
    await look();
    await look();
    expect(log.events()).toEqual(['heads-changed', 'heads-unreadable']);
    expect(versions().live).toBe('2');
  });
});

describe('a head that is refused', () => {
  it('leaves the live one, and a good shadow beside it is run nevertheless', async () => {
    const { directory, look, log, versions } = await setUp();
    await storeHead(directory, { version: '2', origin: { body: '0'.repeat(64) } });
    await storeHead(directory, { version: '3' });
    await writeHeadsFile(directory, { detection: { live: '2', shadow: '3' } });
    await look();
    expect(versions()).toEqual({ live: undefined, shadow: '3' });
    expect(log.lines).toMatchObject([
      {
        ...{ event: 'head-refused', task: 'detection', role: 'live', version: '2' },
        error: expect.stringContaining('other body'),
      },
      { event: 'heads-changed', live: '1', shadow: '3' },
    ]);
  });

  it('by the engine is told once, and tried again when it changes', async () => {
    const { directory, look, log, engine, replaced, versions } = await setUp();
    engine.refuses = 'output "boxes" is missing';
    await storeHead(directory);
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await look();
    await look();
    expect(log.lines).toMatchObject([
      { event: 'head-refused', live: '2', error: expect.stringContaining('"boxes"') },
    ]);
    expect(replaced).toHaveLength(1);
    engine.refuses = undefined;
    await storeHead(directory, { spec: { scoreMin: 0.9 } });
    await look();
    expect(versions().live).toBe('2');
  });

  it('is tried again after a while, and then ever more seldom', async () => {
    const { directory, look, engine, clock, replaced, versions } = await setUp();
    engine.refuses = 'no memory';
    await storeHead(directory);
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await look();
    for (const [tries, delayMs] of [LIMITS.headRetryMsMin, 2 * LIMITS.headRetryMsMin].entries()) {
      await clock.advance(delayMs - 1);
      await look();
      expect(replaced).toHaveLength(tries + 1);
      await clock.advance(1);
      await look();
      expect(replaced).toHaveLength(tries + 2);
    }
    engine.refuses = undefined;
    await clock.advance(LIMITS.headRetryMsMax);
    await look();
    expect(versions().live).toBe('2');
  });

  it('holds up no other task', async () => {
    const { directory, look, engine } = await setUp();
    await storeHead(directory, { task: 'classification', origin: { tables: '0'.repeat(64) } });
    await storeHead(directory, { task: 'detection' });
    const live = { live: '2' };
    await writeHeadsFile(directory, { classification: live, detection: live });
    await look();
    expect(Object.keys(engine.settings.replacements ?? {})).toEqual(['detection']);
  });

  it('is not told of by a consumer that stops meanwhile', async () => {
    const { directory, watcher, engine, log } = await setUp();
    const stopping = new AbortController();
    engine.replace = async () => {
      stopping.abort();
      throw new HalfsightError('inference-failed', 'the engine was closed.');
    };
    await storeHead(directory);
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await watcher.look(stopping.signal);
    expect(log.lines).toEqual([]);
  });
});

it('looks are taken at intervals until the consumer stops', async () => {
  const { directory, watcher, clock, versions } = await setUp();
  const stopping = new AbortController();
  const running = watcher.run(stopping.signal);
  await expect.poll(() => clock.timerCount, PATIENT).toBe(1);
  await storeHead(directory);
  await writeHeadsFile(directory, { detection: { live: '2' } });
  await clock.advance(LIMITS.headPollIntervalMs);
  await expect.poll(() => versions().live, PATIENT).toBe('2');
  await expect.poll(() => clock.timerCount, PATIENT).toBe(1);
  stopping.abort();
  await running;
  expect(clock.timerCount).toBe(0);
});

describe('the start of a consumer', () => {
  it('is with the live heads, without shadows', async () => {
    const { directory } = await setUp();
    await storeHead(directory);
    await storeHead(directory, { version: '3' });
    await writeHeadsFile(directory, {
      classification: { live: '1' },
      detection: { live: '2', shadow: '3' },
    });
    const { live } = await firstHeads(SETTINGS, directory, bundle);
    expect(live).toMatchObject({ replacements: { detection: { version: '2' } } });
    expect(live).not.toHaveProperty('shadows');
    expect(Object.keys(live.replacements ?? {})).toEqual(['detection']);
  });

  it('is with the heads of the bundle where nothing else is said', async () => {
    const { directory } = await setUp();
    const heads = { directory, live: SETTINGS, former: SETTINGS };
    expect(await firstHeads(SETTINGS, directory, bundle)).toEqual(heads);
  });

  it.each([
    ['2', '2'],
    ['1', undefined],
    [undefined, undefined],
    // It was retired.
    ['7', undefined],
  ])('may be with former heads: %j', async (former, runs) => {
    const { directory } = await setUp();
    await storeHead(directory);
    await storeHead(directory, { version: '3' });
    const was = former === undefined ? {} : { former };
    await writeHeadsFile(directory, {
      classification: { live: '1', former: '2' },
      detection: { live: '3', ...was },
    });
    const heads = await firstHeads(SETTINGS, directory, bundle);
    expect(heads.live.replacements?.detection?.version).toBe('3');
    expect(heads.former.replacements?.detection?.version).toBe(runs);
    expect(heads.former.replacements?.classification).toBeUndefined();
  });

  it('fails where there is no folder, and where a live head is not there', async () => {
    const { directory } = await setUp();
    const nowhere = firstHeads(SETTINGS, join(directory, 'nowhere'), bundle);
    await expect(nowhere).rejects.toMatchObject({ code: 'settings-invalid' });
    await writeHeadsFile(directory, { detection: { live: '2' } });
    await expect(firstHeads(SETTINGS, directory, bundle)).rejects.toMatchObject({
      code: 'head-missing',
    });
  });
});
