import { describe, expect, it } from 'vitest';
import { Engine } from '#consumers/inference/engine.ts';
import type {
  BatchOutput,
  EngineBatch,
  EngineChannel,
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

  get runs(): number[] {
    return this.sent.flatMap((message) => (message.kind === 'run' ? [message.id] : []));
  }
}

const BATCH: EngineBatch = { frames: [] };
const NOW = { startUs: 0, endUs: 0 };
const OUTPUT: BatchOutput = { frames: [], decode: NOW, body: NOW, heads: [] };

async function setUp(open = true) {
  const clock = new ManualClock();
  const channels: FakeChannel[] = [];
  const failures: Error[] = [];
  const engine = new Engine({
    spawn: () => {
      const channel = new FakeChannel();
      channels.push(channel);
      return channel;
    },
    settings: { bundleDirectory: '/nowhere', heads: ['detection'], provider: 'cpu', threads: 1 },
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
  const run = (name: string) =>
    void engine.run(BATCH).then(
      () => events.push(`${name} done`),
      (error: HalfsightError) => events.push(`${name} ${error.code}`),
    );
  return { clock, channels, failures, engine, events, run };
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
