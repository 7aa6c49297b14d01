import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defined } from '#runtime/assert.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import type { BrokerNode, ExtraListener } from './kafka-properties.ts';
import { choosePorts } from './ports.ts';

/** How many listeners of which kind each broker gets beside the plain one. */
export interface ClusterOptions {
  readonly brokerCount: number;
  readonly extraListeners: readonly Pick<ExtraListener, 'name' | 'protocol'>[];
  /** See `LocalStackOptions`. */
  readonly advertisedPorts: readonly number[];
}

export interface ClusterPorts {
  readonly redisPort: number;
  readonly cluster: readonly BrokerNode[];
}

export const PROXIED_LISTENER = 'PROXIED';

/** Gives every server of the stack in `directory` its ports. */
export async function planPorts(
  directory: string,
  { brokerCount, extraListeners, advertisedPorts }: ClusterOptions,
): Promise<ClusterPorts> {
  const perBroker = extraListeners.length + (advertisedPorts.length > 0 ? 1 : 0);
  const count = 1 + (2 + perBroker) * brokerCount;
  const ports = await keepPorts(join(directory, 'ports.json'), count);
  const port = (place: number) => defined(ports[place], `port ${place} of ${count}`);
  const extra = (index: number): ExtraListener[] => {
    const first = 1 + 2 * brokerCount + perBroker * index;
    const listeners = extraListeners.map((one, place) => ({ ...one, port: port(first + place) }));
    const advertisedPort = advertisedPorts[index];
    if (advertisedPort === undefined) return listeners;
    const behind = port(first + listeners.length);
    const proxied = { name: PROXIED_LISTENER, protocol: 'PLAINTEXT' as const };
    return [...listeners, { ...proxied, port: behind, advertisedPort }];
  };
  const cluster = Array.from({ length: brokerCount }, (_, index) => ({
    id: index + 1,
    brokerPort: port(1 + 2 * index),
    controllerPort: port(2 + 2 * index),
    extraListeners: extra(index),
  }));
  return { redisPort: port(0), cluster };
}

/** The ports of the folder's last run where they are free, so that addresses tend to stay. */
async function keepPorts(file: string, count: number): Promise<number[]> {
  const text = await readFile(file, 'utf8').catch(() => '[]');
  const last = text
    .split(/[^0-9]+/)
    .filter((part) => part !== '')
    .map(Number);
  const ports = await choosePorts(count, last, seededRandom(freshSeed()));
  await writeFile(file, `${JSON.stringify(ports)}\n`);
  return ports;
}

/** `127.0.0.1:port` of each broker's listener of that name. */
export function addressesOf(cluster: readonly BrokerNode[], name: string): string[] {
  return cluster.flatMap(({ extraListeners = [] }) =>
    extraListeners.filter((one) => one.name === name).map(({ port }) => `127.0.0.1:${port}`),
  );
}
