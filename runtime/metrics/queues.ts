import type { Family, MetricSource, Sample } from './family.ts';

/** A queue as it is now. What came in is what went out, was dropped, or is there. */
export interface QueueState {
  readonly length: number;
  /** Undefined: it is bounded by its bytes only. */
  readonly max?: number | undefined;
  readonly bytes?: number | undefined;
  readonly bytesMax?: number | undefined;
  /** Since the start of the process. */
  readonly in: number;
  readonly dropped: number;
}

/** The families of queues, by what follows `halfsight_<process>_queue_`. */
export const QUEUE_FAMILIES = [
  {
    name: 'length',
    type: 'gauge',
    help: 'Items in the queue.',
    read: ({ length }: QueueState) => length,
  },
  {
    name: 'max',
    type: 'gauge',
    help: 'Items that the queue holds at most.',
    read: ({ max }: QueueState) => max,
  },
  {
    name: 'bytes',
    type: 'gauge',
    help: 'Bytes in the queue.',
    read: ({ bytes }: QueueState) => bytes,
  },
  {
    name: 'max_bytes',
    type: 'gauge',
    help: 'Bytes that the queue holds at most.',
    read: ({ bytesMax }: QueueState) => bytesMax,
  },
  {
    name: 'in_total',
    type: 'counter',
    help: 'Items that came into the queue.',
    read: (state: QueueState) => state.in,
  },
  {
    name: 'out_total',
    type: 'counter',
    help: 'Items that left the queue to be worked on.',
    read: (state: QueueState) => state.in - state.dropped - state.length,
  },
  {
    name: 'dropped_total',
    type: 'counter',
    help: 'Items that were dropped from the queue.',
    read: ({ dropped }: QueueState) => dropped,
  },
] as const;

/** Every queue of a process, in the same families. */
export class QueueMetrics implements MetricSource {
  readonly #process: string;
  readonly #queues = new Map<string, () => QueueState>();

  /** `process`: as in the names of its other metrics. */
  constructor(process: string) {
    this.#process = process;
  }

  add(queue: string, read: () => QueueState): void {
    this.#queues.set(queue, read);
  }

  families(): readonly Family[] {
    const states = [...this.#queues].map(([queue, read]) => ({ queue, state: read() }));
    return QUEUE_FAMILIES.map(({ name, type, help, read }) => ({
      ...{ name: `halfsight_${this.#process}_queue_${name}`, help, type },
      samples: states.flatMap(({ queue, state }): Sample[] => {
        const value = read(state);
        return value === undefined ? [] : [{ labels: { queue }, value }];
      }),
    }));
  }
}
