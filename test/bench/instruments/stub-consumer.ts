import { fileURLToPath } from 'node:url';
import { BenchChild } from './child.ts';
import type { StubConsumerFigures, StubConsumerSettings } from './stub-consumer-protocol.ts';

const PROGRAM = fileURLToPath(new URL('./stub-consumer-main.ts', import.meta.url));

/** The inference consumer in a process of its own, with a stub in place of its engine. */
export class StubConsumer {
  readonly #child: BenchChild;

  constructor(settings: StubConsumerSettings, execArgv: readonly string[] = []) {
    this.#child = new BenchChild(PROGRAM, settings, execArgv);
  }

  /** Resolves when it has joined its group. */
  start(): Promise<void> {
    return this.#child.ask('start');
  }

  figures(): Promise<StubConsumerFigures> {
    return this.#child.ask('figures');
  }

  /** host:port where they can be read; empty: nowhere. */
  metrics(): Promise<string> {
    return this.#child.ask('metrics');
  }

  /** Not drained: whatever is under way is nobody's loss here. */
  end(): Promise<void> {
    return this.#child.end();
  }
}
