import { describe, expect, it } from 'vitest';
import { Engine, type ShadowOutputs } from '#consumers/inference/engine.ts';
import type {
  BatchOutput,
  EngineBatch,
  EngineChannel,
  EngineSettings,
  FromEngine,
  ToEngine,
} from '#consumers/inference/engine-protocol.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import type { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { settled } from './fakes.ts';

class FakeChannel implements EngineChannel {
  readonly sent: ToEngine[] = [];
  #onMessage: (message: FromEngine) => void = () => undefined;
  #onExit: (how: string) => void = () => undefined;

  send(message: ToEngine): void {
    this.sent.push(message);
  }

  kill(): void {
    this.exit('SIGKILL');
  }

  onMessage(handler: (message: FromEngine) => void): void {
    this.#onMessage = handler;
  }

  onExit(handler: (how: string) => void): void {
    this.#onExit = handler;
  }

  say(message: FromEngine): void {
    this.#onMessage(message);
  }

  exit(how: string): void {
    this.#onExit(how);
  }

  /** Whether a run was sent to be shadowed too. */
  isShadowed(id: number): boolean | undefined {
    const run = this.sent.findLast((message) => message.kind === 'run' && message.id === id);
    return run?.kind === 'run' ? run.batch.shadows === true : undefined;
  }

  get runs(): number[] {
    return this.sent.flatMap((message) => (message.kind === 'run' ? [message.id] : []));
  }
}

const BATCH: EngineBatch = { frames: [] };
const NOW = { startUs: 0, endUs: 0 };
const OUTPUT: BatchOutput = { frames: [], decode: NOW, body: NOW, heads: [] };

const SETTINGS: EngineSettings = {
  bundleDirectory: '/nowhere',
  heads: ['detection'],
  provider: 'cpu',
  threads: 1,
};

async function setUp(open = true, changes: Partial<EngineSettings> = {}) {
  const clock = new ManualClock();
  const channels: FakeChannel[] = [];
  const failures: Error[] = [];
  const shadows: ShadowOutputs[] = [];
  const refused: string[] = [];
  const engine = new Engine({
    spawn: () => {
      const channel = new FakeChannel();
      channels.push(channel);
      return channel;
    },
    settings: { ...SETTINGS, ...changes },
    shadows: {
      onBatch: (_, outputs) => void shadows.push(outputs),
      onRefused: (all) => void refused.push(...all.map(({ message }) => message)),
    },
    clock,
    logger: silentLogger,
    telemetry: new Telemetry(),
    onFailed: (error) => void failures.push(error),
  });
  const events: string[] = [];
  const opening = engine.open().catch((error: HalfsightError) => {
    events.push(`open ${error.code}`);
  });
  if (open) {
    channels[0]?.say({ kind: 'ready' });
    await opening;
  }
  const run = (name: string, batch: EngineBatch = BATCH) =>
    void engine.run(batch).then(
      () => events.push(`${name} done`),
      (error: HalfsightError) => events.push(`${name} ${error.code}`),
    );
  return { clock, channels, failures, engine, events, run, shadows, refused };
}

describe('jobs', () => {
  it('are answered in order, the next being sent while one runs', async () => {
    const { channels, events, run } = await setUp();
    for (const name of ['a', 'b', 'c']) run(name);
    expect(channels[0]?.runs).toEqual([1, 2]);
    channels[0]?.say({ kind: 'done', id: 1, output: OUTPUT });
    await settled();
    expect(channels[0]?.runs).toEqual([1, 2, 3]);
    channels[0]?.say({ kind: 'failed', id: 2, message: 'bad' });
    channels[0]?.say({ kind: 'done', id: 3, output: OUTPUT });
    await settled();
    expect(events).toEqual(['a done', 'b inference-failed', 'c done']);
  });

  it('when the process dies only the running one fails; the next is sent again', async () => {
    const { clock, channels, events, run } = await setUp();
    for (const name of ['a', 'b', 'c']) run(name);
    channels[0]?.exit('SIGSEGV');
    await clock.advance(LIMITS.engineRestartDelayMsMin);
    expect(events).toEqual(['a inference-failed']);
    channels[1]?.say({ kind: 'ready' });
    expect(channels[1]?.runs).toEqual([2, 3]);
    channels[1]?.say({ kind: 'done', id: 2, output: OUTPUT });
    channels[1]?.say({ kind: 'done', id: 3, output: OUTPUT });
    await settled();
    expect(events).toEqual(['a inference-failed', 'b done', 'c done']);
  });

  it('that hang are ended by killing the process, each after a time of its own', async () => {
    const { clock, channels, events, run } = await setUp();
    run('a');
    run('b');
    await clock.advance(LIMITS.inferenceTimeoutMs - 1);
    channels[0]?.say({ kind: 'done', id: 1, output: OUTPUT });
    await clock.advance(LIMITS.inferenceTimeoutMs - 1);
    expect(events).toEqual(['a done']);
    await clock.advance(1);
    expect(events).toEqual(['a done', 'b inference-stalled']);
  });

  it('leave no watchdog behind', async () => {
    const { clock, channels, run } = await setUp();
    run('a');
    expect(clock.timerCount).toBe(1);
    channels[0]?.say({ kind: 'done', id: 1, output: OUTPUT });
    await settled();
    expect(clock.timerCount).toBe(0);
  });
});

describe('the start', () => {
  it('fails with what the process says', async () => {
    const { channels, events, failures } = await setUp(false);
    channels[0]?.say({
      kind: 'refused',
      code: 'execution-provider-missing',
      message: 'no CUDA here',
      advice: undefined,
    });
    await settled();
    expect(events).toEqual(['open execution-provider-missing']);
    expect(failures).toEqual([]);
  });

  it('fails when the process dies before it is ready', async () => {
    const { channels, events } = await setUp(false);
    channels[0]?.exit('SIGILL');
    await settled();
    expect(events).toEqual(['open inference-failed']);
  });

  it.each([
    ['cpu', LIMITS.engineOpenTimeoutMs],
    ['tensorrt', LIMITS.engineBuildTimeoutMs],
  ] as const)('on %s fails when it takes more than %i ms', async (provider, ms) => {
    const { clock, channels, engine, events } = await setUp(false, { provider });
    await clock.advance(ms - 1);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(events).toEqual(['open inference-stalled']);
    expect(channels).toHaveLength(1);
    await engine.close();
  });

  it('ends when the engine is closed meanwhile', async () => {
    const { channels, engine, events } = await setUp(false);
    const closed = engine.close();
    channels[0]?.exit('exit code 0');
    await closed;
    expect(events).toEqual(['open inference-failed']);
  });

  it('again is tried some times, with growing pauses, and then given up', async () => {
    const { clock, channels, failures } = await setUp();
    channels[0]?.exit('SIGKILL');
    for (let start = 1; start <= LIMITS.engineFailuresMax; start++) {
      await clock.advance(LIMITS.engineRestartDelayMsMax);
      expect(failures).toEqual([]);
      expect(channels).toHaveLength(start + 1);
      channels[start]?.exit('SIGKILL');
    }
    expect(failures.map((error) => (error as HalfsightError).code)).toEqual(['inference-failed']);
  });
});

describe('the end', () => {
  it('lets the process release its sessions', async () => {
    const { clock, channels, engine } = await setUp();
    let isClosed = false;
    void engine.close().then(() => {
      isClosed = true;
    });
    expect(channels[0]?.sent.at(-1)).toEqual({ kind: 'close' });
    await settled();
    expect(isClosed).toBe(false);
    channels[0]?.exit('exit code 0');
    await settled();
    expect(isClosed).toBe(true);
    expect(clock.timerCount).toBe(0);
    expect(channels).toHaveLength(1);
  });

  it('is forced on a process that does not answer', async () => {
    const { clock, engine } = await setUp();
    const closed = engine.close();
    await clock.advance(LIMITS.engineCloseTimeoutMs);
    await closed;
  });
});

const SHADOWED: EngineBatch = { frames: [], shadows: true };
const PLACED = { version: '2', digest: 'ab', directory: '/heads/detection-2' };

async function setUpShadows() {
  const parts = await setUp(true, { shadows: { detection: PLACED } });
  const { clock, channels, run } = parts;
  /** A batch whose live heads have answered, and whose shadows have not. */
  const runLive = async (name: string, id: number) => {
    run(name, SHADOWED);
    channels.at(-1)?.say({ kind: 'done', id, output: OUTPUT });
    await settled();
  };
  const restart = async () => {
    await clock.advance(LIMITS.engineRestartDelayMsMin);
    channels.at(-1)?.say({ kind: 'ready' });
  };
  return { ...parts, runLive, restart };
}

describe('shadows', () => {
  it('are told of after the live heads, for whom nobody waits', async () => {
    const { channels, events, shadows, runLive } = await setUpShadows();
    await runLive('a', 1);
    expect(channels[0]?.isShadowed(1)).toBe(true);
    expect(events).toEqual(['a done']);
    expect(shadows).toEqual([]);
    const outputs = [{ task: 'detection', findings: [], interval: NOW }] as const;
    channels[0]?.say({ kind: 'shadowed', id: 1, outputs });
    expect(shadows).toEqual([outputs]);
  });

  it('run on one batch at a time, and what they do not run on is told', async () => {
    const { channels, run, shadows } = await setUpShadows();
    run('a', SHADOWED);
    run('b', SHADOWED);
    expect([1, 2].map((id) => channels[0]?.isShadowed(id))).toEqual([true, false]);
    channels[0]?.say({ kind: 'done', id: 1, output: OUTPUT });
    run('c', SHADOWED);
    channels[0]?.say({ kind: 'shadowed', id: 1, outputs: [] });
    channels[0]?.say({ kind: 'done', id: 2, output: OUTPUT });
    await settled();
    expect(channels[0]?.isShadowed(3)).toBe(false);
    expect(shadows).toEqual([[], 'left-out']);
  });

  it('rest as long as they ran', async () => {
    const { clock, channels, run, runLive } = await setUpShadows();
    await runLive('a', 1);
    await clock.advance(300);
    channels[0]?.say({ kind: 'shadowed', id: 1, outputs: [] });
    await clock.advance(299);
    run('b', SHADOWED);
    channels[0]?.say({ kind: 'done', id: 2, output: OUTPUT });
    await clock.advance(1);
    run('c', SHADOWED);
    expect([2, 3].map((id) => channels[0]?.isShadowed(id))).toEqual([false, true]);
  });

  it('do not run where there is no time to spare, nor on a batch of our own', async () => {
    const { channels, run, shadows } = await setUpShadows();
    run('a', { frames: [], shadows: false });
    run('b');
    for (const id of [1, 2]) channels[0]?.say({ kind: 'done', id, output: OUTPUT });
    await settled();
    expect([1, 2].map((id) => channels[0]?.isShadowed(id))).toEqual([false, false]);
    expect(shadows).toEqual(['left-out']);
  });

  it('that hang or crash fail no batch, and after some times are given up', async () => {
    const { clock, channels, events, run, shadows, refused, runLive, restart } =
      await setUpShadows();
    await runLive('a', 1);
    run('b', SHADOWED);
    await clock.advance(LIMITS.shadowTimeoutMs - 1);
    expect(shadows).toEqual([]);
    await clock.advance(1);
    expect(shadows).toEqual(['failed']);
    await restart();
    expect(channels[1]?.runs).toEqual([2]);
    channels[1]?.say({ kind: 'done', id: 2, output: OUTPUT });
    await settled();
    expect(refused).toEqual([]);
    channels[1]?.exit('SIGSEGV');
    expect(refused).toEqual(['the engine process ended with it 2 times: SIGSEGV.']);
    await restart();
    expect(channels[2]?.sent[0]).toEqual({ kind: 'open', settings: SETTINGS });
    await runLive('c', 3);
    expect(channels[2]?.isShadowed(3)).toBe(false);
    expect(events).toEqual(['a done', 'b done', 'c done']);
    expect(shadows).toEqual(['failed', 'failed']);
  });

  it('that answer between two ends are not given up', async () => {
    const { channels, refused, runLive, restart } = await setUpShadows();
    for (const id of [1, 3]) {
      await runLive('a', id);
      channels.at(-1)?.exit('SIGSEGV');
      await restart();
      await runLive('b', id + 1);
      channels.at(-1)?.say({ kind: 'shadowed', id: id + 1, outputs: [] });
    }
    expect(refused).toEqual([]);
  });

  it('that cannot be opened are told, and the engine goes on', async () => {
    const { channels, events, refused } = await setUp(false, { shadows: { detection: PLACED } });
    const refusedShadows = [{ directory: PLACED.directory, message: 'no model' }];
    channels[0]?.say({ kind: 'ready', refusedShadows });
    await settled();
    expect(refused).toEqual(['no model']);
    expect(events).toEqual([]);
  });
});
