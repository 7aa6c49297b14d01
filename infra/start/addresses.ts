import { choosePorts } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import type { Random } from '#runtime/random.ts';
import { DEFAULT_WALL_LISTEN, type Environment } from '#runtime/settings.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import type { StartArguments } from './arguments.ts';

/** Where the children of one `npm start` can be reached. */
export interface Addresses {
  /** Undefined: no wall is wanted. */
  readonly wall: ListenAddress | undefined;
  /** host:port of health and metrics. */
  readonly health: {
    readonly wall: string;
    readonly agent: string;
    readonly consumers: readonly string[];
  };
}

const HOST = DEFAULT_WALL_LISTEN.host;

/**
 * The wall's usual port, and those behind it for health and metrics, where they are free; else some
 * that are. An address that somebody named for the wall stays as it is, whether it is free or not.
 */
export async function planAddresses(
  { hasWall, consumerCount }: StartArguments,
  { wallListen }: Pick<Environment, 'wallListen'>,
  random: Random,
): Promise<Addresses> {
  const { port: first } = DEFAULT_WALL_LISTEN;
  const preferred = Array.from({ length: 3 + consumerCount }, (_, place) => first + place);
  const ports = await choosePorts(preferred.length, preferred, random);
  const port = (place: number) => defined(ports[place], 'a port for each child');
  const { host, port: named } = wallListen ?? DEFAULT_WALL_LISTEN;
  const isFixed = wallListen !== undefined && named !== 0;
  const health = ports.slice(1).map((one) => `${HOST}:${one}`);
  const [ofWall = '', ofAgent = '', ...consumers] = health;
  return {
    wall: hasWall ? { host, port: isFixed ? named : port(0) } : undefined,
    health: { wall: ofWall, agent: ofAgent, consumers },
  };
}

/** What a person opens. */
export function urlOf(listen: ListenAddress): string {
  return `http://${textOf(listen)}`;
}

/** As settings have it. */
export function textOf({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The first line that a person sees. */
export function wallLine(wall: ListenAddress, { wallListen }: Pick<Environment, 'wallListen'>) {
  const { port } = DEFAULT_WALL_LISTEN;
  const isOther = wallListen === undefined && wall.port !== port;
  return `The wall: ${urlOf(wall)}${isOther ? ` (port ${port} is taken)` : ''}`;
}
