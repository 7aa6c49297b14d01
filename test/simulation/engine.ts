import { decodeBatch } from '#consumers/inference/decode.ts';
import type {
  BatchOutput,
  DecodedBatch,
  EngineChannel,
  FromEngine,
  Refusal,
  ToEngine,
} from '#consumers/inference/engine-protocol.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import type { Bundle } from '#models/bundle.ts';
import type { Random } from '#runtime/random.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { Host } from './host.ts';
import { INDIGESTIBLE_SYMBOL } from './pictures.ts';

/** How often engines misbehave, of a thousand batches. */
export interface EngineTrouble {
  diePermille: number;
  hangPermille: number;
  failPermille: number;
}

/** A planted mistake. */
export type ChangeOutput = (output: BatchOutput) => BatchOutput;

/** Classes are numbered from 0, symbols are not. */
export const CLASS_OF_SYMBOL_0 = 100;

/** Finds in each frame the symbol it is made of; dies, hangs and fails as it is told to. */
export class FakeEngine implements EngineChannel {
  readonly #host: Host;
  readonly #random: Random;
  readonly #trouble: EngineTrouble;
  readonly #bundle: Bundle;
  readonly #change: ChangeOutput;
  #onMessage: (message: FromEngine) => void = () => undefined;
  #onExit: (how: string) => void = () => undefined;
  #isDead = false;
  #work: Promise<void> = Promise.resolve();

  constructor(
    host: Host,
    random: Random,
    trouble: EngineTrouble,
    bundle: Bundle,
    change: ChangeOutput = (output) => output,
  ) {
    this.#host = host;
    this.#random = random;
    this.#trouble = trouble;
    this.#bundle = bundle;
    this.#change = change;
  }

  send(message: ToEngine): void {
    this.#work = this.#work.then(() => this.#answer(message));
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    // Its parent hears of it later, as of any child.
    this.#host.clock.after(1, () => this.#onExit('SIGKILL'));
  }

  onMessage(handler: (message: FromEngine) => void): void {
    this.#onMessage = handler;
  }

  onExit(handler: (how: string) => void): void {
    this.#onExit = handler;
  }

  async #answer(message: ToEngine): Promise<void> {
    if (message.kind === 'run' && this.#chance(this.#trouble.hangPermille)) {
      await new Promise(() => undefined);
    }
    await this.#host.clock.sleep(1 + this.#random.integer(30));
    if (this.#isDead) return;
    if (message.kind === 'open') this.#onMessage({ kind: 'ready' });
    else if (message.kind === 'close' || this.#chance(this.#trouble.diePermille)) this.kill();
    else this.#onMessage(this.#run(message));
  }

  #run({ id, batch }: Extract<ToEngine, { kind: 'run' }>): FromEngine {
    const { batch: decoded, refusals } = decodeBatch(batch, this.#bundle);
    const symbols = symbolsOf(decoded);
    if (symbols.includes(INDIGESTIBLE_SYMBOL) || this.#chance(this.#trouble.failPermille)) {
      return { kind: 'failed', id, message: 'cannot digest this' };
    }
    const output = this.#findings(symbols, refusals, batch.heads ?? TASKS);
    return { kind: 'done', id, output: this.#change(output) };
  }

  #findings(
    symbols: readonly number[],
    refusals: readonly (Refusal | undefined)[],
    heads: readonly Task[],
  ): BatchOutput {
    const nowUs = this.#host.clock.nowUs();
    const interval = { startUs: nowUs, endUs: nowUs };
    return {
      frames: symbols.map((symbol, index) => {
        const refusal = refusals[index];
        if (refusal !== undefined) return { refusal };
        const found = { classId: CLASS_OF_SYMBOL_0 + symbol, label: String(symbol), score: 1 };
        const all: readonly Finding[] = [
          { task: 'classification', classifications: [found] },
          { task: 'detection', detections: [{ ...found, box: [0, 0, 1, 1] }] },
          { task: 'segmentation', masks: [] },
        ];
        return { findings: all.filter(({ task }) => heads.includes(task)) };
      }),
      decode: interval,
      body: interval,
      heads: heads.map(() => interval),
    };
  }

  #chance(permille: number): boolean {
    return permille > 0 && this.#random.integer(1000) < permille;
  }
}

/** The first symbol of each frame: the others are the same. */
function symbolsOf({ symbols, ratePoints }: DecodedBatch): number[] {
  const size = symbols.length / ratePoints.length;
  return ratePoints.map((_, index) => symbols[index * size] ?? 0);
}
