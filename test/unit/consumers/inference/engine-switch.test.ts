import { describe, expect, it } from 'vitest';
import type { Engine } from '#consumers/inference/engine.ts';
import type {
  BatchOutput,
  EngineBatch,
  EngineSettings,
} from '#consumers/inference/engine-protocol.ts';
import { type EngineInUse, EngineSwitch } from '#consumers/inference/engine-switch.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { settled } from './fakes.ts';

const SETTINGS: EngineSettings = {
  bundleDirectory: '/nowhere',
  heads: ['detection'],
  provider: 'cpu',
  threads: 1,
};

function withVersion(version: string): EngineSettings {
  return {
    ...SETTINGS,
    replacements: { detection: { version, digest: version, directory: `/heads/${version}` } },
  };
}

const BATCH: EngineBatch = { frames: [] };

function outputAfter(ms: number): BatchOutput {
  const interval = { startUs: 0, endUs: 0 };
  return {
    frames: [],
    decode: interval,
    body: interval,
    heads: [{ startUs: 0, endUs: ms * 1000 }],
  };
}

/** Engines that say what happens to them; `open` and `run` of the next one are the test's. */
function setUp(close = async (): Promise<void> => undefined) {
  const story: string[] = [];
  const next = {
    open: async (): Promise<void> => undefined,
    close,
    run: async (_: EngineBatch): Promise<BatchOutput> => outputAfter(1),
  };
  const create = (settings: EngineSettings) => {
    const name = settings.replacements?.detection?.version ?? 'own';
    const { run, close: end } = next;
    const tell = (what: string) => story.push(`${name} ${what}`);
    return {
      open: () => {
        tell('open');
        return next.open();
      },
      run: (batch: EngineBatch) => {
        tell('run');
        return run(batch);
      },
      restart: () => tell('restart'),
      close: () => {
        tell('close');
        return end();
      },
    } as unknown as Engine;
  };
  const engine = new EngineSwitch(create, SETTINGS);
  const withFallback = (onUsed: (error: unknown) => void) =>
    new EngineSwitch(create, withVersion('3'), { settings: withVersion('2'), onUsed });
  const runOne = () => engine.use(async (inUse) => void (await inUse.run(BATCH)));
  return { engine, withFallback, story, next, runOne };
}

describe('a switch', () => {
  it('opens the next engine beside the one in service, then closes that', async () => {
    const { engine, story, next, runOne } = setUp();
    await engine.open();
    const opening = Promise.withResolvers<void>();
    next.open = () => opening.promise;
    const replaced = engine.replace(withVersion('2'));
    await runOne();
    expect(engine.settings).toBe(SETTINGS);
    opening.resolve();
    await replaced;
    expect(engine.settings).toEqual(withVersion('2'));
    await runOne();
    expect(story).toEqual(['own open', '2 open', 'own run', '2 run', 'own close', '2 run']);
  });

  it('leaves a batch with the engine that it began with, to its end', async () => {
    const { engine, story, runOne } = setUp();
    const begun = Promise.withResolvers<EngineInUse>();
    const end = Promise.withResolvers<void>();
    const batch = engine.use((inUse) => {
      begun.resolve(inUse);
      return end.promise;
    });
    await engine.replace(withVersion('2'));
    await runOne();
    const inUse = await begun.promise;
    inUse.restart();
    await inUse.run(BATCH);
    expect(story).toEqual(['2 open', '2 run', 'own restart', 'own run']);
    end.resolve();
    await batch;
    expect(story.at(-1)).toBe('own close');
  });

  it('tries the next engine on the newest batches, and on no others', async () => {
    const { engine, story, next, runOne } = setUp();
    const tried: EngineBatch[] = [];
    for (let sequence = 0; sequence < LIMITS.headTrialBatches + 3; sequence++) await runOne();
    const last = { ...BATCH, heads: ['detection'] as const, shadows: true };
    await engine.use(async (inUse) => void (await inUse.run(last)));
    next.run = async (batch) => {
      tried.push(batch);
      return outputAfter(LIMITS.headTrialMsMax);
    };
    await engine.replace(withVersion('2'));
    // All heads, and no shadows.
    expect(tried).toEqual(Array.from({ length: LIMITS.headTrialBatches }, () => ({ frames: [] })));
    expect(story.at(-1)).toBe('own close');
  });
});

describe('the start', () => {
  it('is with the former heads where the live ones do not run', async () => {
    const { withFallback, story, next } = setUp();
    const errors: unknown[] = [];
    const refusal = new HalfsightError('head-invalid', 'wrong shape');
    next.open = () => Promise.reject(refusal);
    const engine = withFallback((error) => {
      errors.push(error);
      next.open = async () => undefined;
    });
    await engine.open();
    expect(errors).toEqual([refusal]);
    expect(engine.settings).toEqual(withVersion('2'));
    await engine.use(async (inUse) => void (await inUse.run(BATCH)));
    expect(story).toEqual(['3 open', '3 close', '2 open', '2 run']);
  });

  it('fails where those do not run either, and where there are none', async () => {
    const { engine, withFallback, next } = setUp();
    next.open = () => Promise.reject(new HalfsightError('bundle-invalid', 'no body'));
    await expect(engine.open()).rejects.toThrow('no body');
    await expect(withFallback(() => undefined).open()).rejects.toThrow('no body');
  });

  it('needs no other heads where the live ones run', async () => {
    const { withFallback, story } = setUp();
    await withFallback(() => expect.unreachable()).open();
    expect(story).toEqual(['3 open']);
  });
});

describe('the engine in service stays', () => {
  it('where the next one cannot be opened', async () => {
    const { engine, story, next, runOne } = setUp();
    next.open = () => Promise.reject(new HalfsightError('bundle-invalid', 'no model'));
    await expect(engine.replace(withVersion('2'))).rejects.toThrow('no model');
    await runOne();
    expect(engine.settings).toBe(SETTINGS);
    expect(story).toEqual(['2 open', '2 close', 'own run']);
  });

  it('where the next one fails for what it has done itself', async () => {
    const { engine, story, next, runOne } = setUp();
    await runOne();
    next.run = () => Promise.reject(new HalfsightError('inference-failed', 'SIGSEGV'));
    await expect(engine.replace(withVersion('2'))).rejects.toThrow('SIGSEGV');
    await runOne();
    expect(story).toEqual(['own run', '2 open', '2 run', '2 close', 'own run']);
  });

  it('where the next one takes too long for that', async () => {
    const { engine, next, runOne } = setUp();
    await runOne();
    next.run = async () => outputAfter(LIMITS.headTrialMsMax + 100);
    await expect(engine.replace(withVersion('2'))).rejects.toMatchObject({
      code: 'head-too-slow',
      message: 'the detection head took 10.1 s for one batch, more than 10 s.',
    });
    expect(engine.settings).toBe(SETTINGS);
  });

  it('when a batch fails on it, and such a batch is no trial', async () => {
    const { engine, story, runOne } = setUp();
    const fail = engine.use(() => Promise.reject(new Error('bad frame')));
    await expect(fail).rejects.toThrow('bad frame');
    await engine.replace(withVersion('2'));
    await runOne();
    expect(story).toEqual(['2 open', 'own close', '2 run']);
  });
});

describe('the end', () => {
  it('closes the engine in service and the one that is being opened', async () => {
    const { engine, story, next } = setUp();
    const opening = Promise.withResolvers<void>();
    next.open = () => opening.promise;
    const replaced = engine.replace(withVersion('2'));
    await engine.close();
    expect(story).toEqual(['2 open', 'own close', '2 close']);
    opening.resolve();
    await replaced;
    await settled();
    expect(engine.settings).toBe(SETTINGS);
  });

  it('waits for the one that was left', async () => {
    const leaving = Promise.withResolvers<void>();
    const { engine, next } = setUp(() => leaving.promise);
    next.close = async () => undefined;
    await engine.replace(withVersion('2'));
    let isClosed = false;
    const closed = engine.close().then(() => {
      isClosed = true;
    });
    await settled();
    expect(isClosed).toBe(false);
    leaving.resolve();
    await closed;
  });
});
