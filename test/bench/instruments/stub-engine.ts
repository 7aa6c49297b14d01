import type {
  BatchOutput,
  EngineBatch,
  EngineChannel,
  FromEngine,
} from '#consumers/inference/engine-protocol.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import { systemClock } from '#runtime/clock.ts';
import { encodeRle } from '#schemas/rle.ts';

/** `sleep`: stands for a GPU that takes so long for a frame; `stall`: it never answers. */
export type StubEngine =
  | { readonly kind: 'sleep'; readonly msPerFrame: number }
  | { readonly kind: 'stall' };

/** Behind the engine port: takes batches as the engine process does, one at a time, and no core. */
export function stubEngine(stub: StubEngine): () => EngineChannel {
  return () => new StubChannel(stub);
}

class StubChannel implements EngineChannel {
  readonly #stub: StubEngine;
  #handler: (message: FromEngine) => void = () => undefined;
  #exitHandler: (how: string) => void = () => undefined;
  /** When the batch before is done: timers come late, and a device does not wait for them. */
  #freeMs = 0;

  constructor(stub: StubEngine) {
    this.#stub = stub;
  }

  send(message: Parameters<EngineChannel['send']>[0]): void {
    if (message.kind === 'open') void this.#answer({ kind: 'ready' });
    else if (message.kind === 'close') this.#exitHandler('closed');
    else if (this.#stub.kind === 'sleep') this.#run(message.id, message.batch, this.#stub);
  }

  kill(): void {
    this.#exitHandler('SIGKILL');
  }

  onMessage(handler: (message: FromEngine) => void): void {
    this.#handler = handler;
  }

  onExit(handler: (how: string) => void): void {
    this.#exitHandler = handler;
  }

  #run(id: number, batch: EngineBatch, { msPerFrame }: { readonly msPerFrame: number }): void {
    const nowMs = systemClock.monotonicMs();
    this.#freeMs = Math.max(this.#freeMs, nowMs) + msPerFrame * batch.frames.length;
    systemClock.after(this.#freeMs - nowMs, () => {
      this.#handler({ kind: 'done', id, output: outputOf(batch) });
    });
  }

  async #answer(message: FromEngine): Promise<void> {
    await systemClock.turn();
    this.#handler(message);
  }
}

function outputOf({ frames, heads = [] }: EngineBatch): BatchOutput {
  const nowUs = systemClock.nowUs();
  const interval = { startUs: nowUs, endUs: nowUs };
  const findings = FINDINGS.filter(({ task }) => heads.includes(task));
  return {
    frames: frames.map(() => ({ findings })),
    decode: interval,
    body: interval,
    heads: heads.map(() => interval),
  };
}

/** As much as a street has: five classes, six boxes, two masks of 104 x 104. */
const FINDINGS: readonly Finding[] = [
  {
    task: 'classification',
    classifications: Array.from({ length: 5 }, (_, index) => named(index)),
  },
  {
    task: 'detection',
    detections: Array.from({ length: 6 }, (_, index) => ({
      ...named(index),
      box: [0.1 * index, 0.2, 0.1 * index + 0.1, 0.6] as const,
    })),
  },
  { task: 'segmentation', masks: [0, 1].map(maskOf) },
];

function named(classId: number) {
  return { classId, label: `class-${classId}`, score: 0.9 - 0.1 * classId };
}

/** A disc: about as many runs as a real mask has. */
function maskOf(classId: number) {
  const side = 104;
  const centre = 30 + 40 * classId;
  const cells = Uint8Array.from({ length: side * side }, (_, index) => {
    const [row, column] = [Math.floor(index / side), index % side];
    return (row - centre) ** 2 + (column - centre) ** 2 < 20 ** 2 ? 1 : 0;
  });
  const mask = { height: side, width: side, counts: encodeRle(cells, side, side) };
  return { classId, label: `class-${classId}`, areaFraction: 0.12, mask };
}
