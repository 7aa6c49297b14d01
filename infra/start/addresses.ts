import { choosePorts, drawPort, isFree } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import type { Random } from '#runtime/random.ts';
import { DEFAULT_WALL_LISTEN, type Environment } from '#runtime/settings.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import type { StartArguments } from './arguments.ts';

const HOST = DEFAULT_WALL_LISTEN.host;

/** Places among the ports; the consumers' health follows. */
const WALL = 0;
const WALL_HEALTH = 1;
const AGENT_HEALTH = 2;
const CONSUMERS_HEALTH = 3;

export interface Planned {
  /** Of each place. */
  readonly ports: readonly number[];
  readonly hasWall: boolean;
  /** Where somebody wants the wall. */
  readonly named: ListenAddress | undefined;
  readonly random: Random;
}

/**
 * Where the children of one `npm start` can be reached. Nothing holds a port between the choice and
 * the child that listens there, seconds later; when another program was faster, `move…` chooses
 * again.
 */
export class Addresses {
  readonly #ports: number[];
  readonly #planned: Planned;

  constructor(planned: Planned) {
    this.#planned = planned;
    this.#ports = [...planned.ports];
  }

  /** Undefined: no wall is wanted. */
  get wall(): ListenAddress | undefined {
    const { hasWall, named = DEFAULT_WALL_LISTEN } = this.#planned;
    if (!hasWall) return undefined;
    return { host: named.host, port: this.#isFixed ? named.port : this.#port(WALL) };
  }

  /** host:port of health and metrics. */
  get health() {
    const [wall = '', agent = '', ...consumers] = this.#ports
      .slice(WALL_HEALTH)
      .map((port) => `${HOST}:${port}`);
    return { wall, agent, consumers };
  }

  /** The first line that a person sees, and another one after each move. */
  wallLine(): string | undefined {
    if (this.wall === undefined) return undefined;
    const { port } = DEFAULT_WALL_LISTEN;
    const isOther = this.#planned.named === undefined && this.wall.port !== port;
    return `The wall: ${urlOf(this.wall)}${isOther ? ` (port ${port} is taken)` : ''}`;
  }

  /** What there is to say of it; undefined where its ports are free, and so not the cause. */
  async moveWall(): Promise<string | undefined> {
    const hasMoved = await this.#move([...(this.#isFixed ? [] : [WALL]), WALL_HEALTH]);
    return hasMoved ? this.wallLine() : undefined;
  }

  async moveAgent(): Promise<string | undefined> {
    return this.#moveHealth(AGENT_HEALTH);
  }

  async moveConsumer(index: number): Promise<string | undefined> {
    return this.#moveHealth(CONSUMERS_HEALTH + index);
  }

  get #isFixed(): boolean {
    const { named } = this.#planned;
    return named !== undefined && named.port !== 0;
  }

  #port(place: number): number {
    return defined(this.#ports[place], 'a port for each child');
  }

  async #moveHealth(place: number): Promise<string | undefined> {
    const before = this.#port(place);
    if (!(await this.#move([place]))) return undefined;
    return `Another program has taken ${HOST}:${before}; instead: ${HOST}:${this.#port(place)}`;
  }

  async #move(places: readonly number[]): Promise<boolean> {
    let hasMoved = false;
    for (const place of places) {
      if (await isFree(this.#port(place))) continue;
      this.#ports[place] = await drawPort(this.#ports, this.#planned.random);
      hasMoved = true;
    }
    return hasMoved;
  }
}

/**
 * The wall's usual port, and those behind it for health and metrics, where they are free; else some
 * that are. An address that somebody named for the wall stays as it is, whether it is free or not.
 */
export async function planAddresses(
  { hasWall, consumerCount }: StartArguments,
  { wallListen: named }: Pick<Environment, 'wallListen'>,
  random: Random,
): Promise<Addresses> {
  const { port: first } = DEFAULT_WALL_LISTEN;
  const length = CONSUMERS_HEALTH + consumerCount;
  const preferred = Array.from({ length }, (_, place) => first + place);
  const ports = await choosePorts(length, preferred, random);
  return new Addresses({ ports, hasWall, named, random });
}

/** What a person opens. */
export function urlOf(listen: ListenAddress): string {
  return `http://${textOf(listen)}`;
}

/** As settings have it. */
export function textOf({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
