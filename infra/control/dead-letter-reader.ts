import type { LetterBook } from '#consumers/dead-letters/letter-book.ts';
import { readBook } from '#consumers/dead-letters/read-letters.ts';
import type { Broker } from '#runtime/broker.ts';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { openFraming } from '#schemas/open-framing.ts';
import type { SchemaRegistrySettings } from '#schemas/registry-line.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { Problem, stopsNow } from './problem.ts';

export interface DeadLetterReaderOptions {
  /** Throws where no broker is named. */
  readonly openBroker: () => Broker;
  readonly schemaRegistry: SchemaRegistrySettings | undefined;
  readonly topics: TopicTable;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/** Reads the dead-letter topic for whoever asks; those who ask meanwhile get the same answer. */
export class DeadLetterReader {
  readonly #options: DeadLetterReaderOptions;
  #reading: Promise<LetterBook> | undefined;

  constructor(options: DeadLetterReaderOptions) {
    this.#options = options;
  }

  read(): Promise<LetterBook> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<LetterBook> {
    const { openBroker, schemaRegistry, topics, clock, stopping } = this.#options;
    const over = new AbortController();
    const broker = openBroker();
    try {
      const framing = await openFraming(schemaRegistry, topics);
      const signal = AbortSignal.any([over.signal, stopping]);
      const reading = readBook({ broker, framing, topics, clock, stopping: signal });
      return await withTimeout(clock, LIMITS.controlReadTimeoutMs, reading, tooSlow);
    } catch (error) {
      throw stopping.aborted ? stopsNow() : error;
    } finally {
      over.abort();
      await broker.close();
    }
  }
}

function tooSlow(): Problem {
  const seconds = LIMITS.controlReadTimeoutMs / 1000;
  return new Problem('read-too-slow', `Kafka was not read to its end in ${seconds} s.`, {
    advice: 'npm run dead-letters -- list reads for as long as it takes.',
  });
}
