import { Worker } from 'node:worker_threads';
import { type Bundle, reloadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { decodeBatch } from './decode.ts';
import type {
  BatchOutput,
  FromEngine,
  FromEngineThread,
  Interval,
  ModelOutput,
  Refusal,
  ToEngine,
  ToEngineThread,
} from './engine-protocol.ts';

/**
 * The engine process: decodes the bitstreams of a batch while its thread runs the models on the
 * batch before, so that the device finds its input in place. The models have a thread of their own
 * because ONNX Runtime blocks the one that calls it.
 */
const thread = new Worker(new URL('./engine-thread.ts', import.meta.url));
/** Its tables; the thread reads the models. */
let bundle: Bundle | undefined;
/** Memory of batches that are done, for those to come: new pages cost more than the decoding. */
const spares: ArrayBuffer[] = [];
const underWay = new Map<
  number,
  { refusals: readonly (Refusal | undefined)[]; decode: Interval }
>();

async function answer(message: ToEngine): Promise<void> {
  switch (message.kind) {
    case 'open':
      ask(message);
      // The thread checks its files, and says what is wrong with it.
      bundle = await reloadBundle(message.settings.bundleDirectory).catch(() => undefined);
      return;
    case 'run': {
      const { id } = message;
      const startUs = systemClock.nowUs();
      try {
        const known = defined(bundle, 'bundle');
        const { batch, refusals } = decodeBatch(message.batch, known, spares.pop());
        underWay.set(id, { refusals, decode: { startUs, endUs: systemClock.nowUs() } });
        ask({ kind: 'run', id, batch }, [batch.symbols.buffer]);
      } catch (error) {
        say({ kind: 'failed', id, message: describeError(error) });
      }
      return;
    }
    case 'close':
      return ask(message);
  }
}

function onAnswer(message: FromEngineThread): void {
  if (message.kind === 'done') {
    spares.push(message.symbols);
    say({ kind: 'done', id: message.id, output: outputOf(message.id, message.output) });
  } else if (message.kind === 'closed') {
    process.exit(0);
  } else {
    if (message.kind === 'failed') underWay.delete(message.id);
    say(message);
  }
}

function outputOf(id: number, { findings, ...rest }: ModelOutput): BatchOutput {
  const { refusals, decode } = defined(underWay.get(id), `batch ${id}`);
  underWay.delete(id);
  const frames = findings.map((found, index) => {
    const refusal = refusals[index];
    return refusal === undefined ? { findings: found } : { refusal };
  });
  return { frames, decode, ...rest };
}

function ask(message: ToEngineThread, moved: ArrayBuffer[] = []): void {
  thread.postMessage(message, moved);
}

function say(message: FromEngine): void {
  process.send?.(message);
}

thread.on('message', onAnswer);
// In order: a batch may come while the bundle is read.
let answered: Promise<void> = Promise.resolve();
process.on('message', (message) => {
  answered = answered.then(() => answer(message as ToEngine));
});
// The parent is gone. SIGKILL, because a session may be in the middle of a run.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// A terminal sends Ctrl-C to the whole group; the parent drains and says when to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
