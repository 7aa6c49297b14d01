import { fileURLToPath } from 'node:url';
import type { AgentFigures, AgentSettings } from './agent-protocol.ts';
import { BenchChild } from './child.ts';

const PROGRAM = fileURLToPath(new URL('./agent-main.ts', import.meta.url));

/**
 * What runs is compiled in steps, and where frames are few that takes long: at 500 a second the
 * main thread needed 173 us a frame after 15 s, and 143 after 90.
 */
export const AGENT_WARM_SECONDS = 60;

/** The camera agent in a process of its own, on pictures that were drawn before. */
export class BenchAgent {
  readonly #child: BenchChild;

  constructor(settings: AgentSettings, execArgv: readonly string[] = []) {
    this.#child = new BenchChild(PROGRAM, settings, execArgv);
  }

  /** Resolves when its cameras are running. */
  start(): Promise<void> {
    return this.#child.ask('start');
  }

  figures(): Promise<AgentFigures> {
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

  /** Drains it and ends it. */
  async stop(): Promise<AgentFigures> {
    try {
      return await this.#child.ask<AgentFigures>('stop');
    } finally {
      await this.#child.end();
    }
  }
}
