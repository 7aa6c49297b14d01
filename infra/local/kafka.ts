import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { ClassArchive } from './class-archive.ts';
import type { Guard } from './guard.ts';
import { type BrokerNode, kafkaProperties } from './kafka-properties.ts';
import type { ProcessSpec } from './managed-process.ts';
import { ask, isWholeResponse, metadataRequest, parseBrokerIds } from './probe.ts';
import { runProgram } from './program.ts';
import type { SecureListeners } from './secure-listeners.ts';

/** Any 16 bytes in base64; all local clusters may share one, since they never meet. */
const CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw';
const ANSWER_TIMEOUT_MS = 1000;

/** A small JVM that starts fast: one collector thread, and only the first of the two compilers. */
const SMALL_JVM: readonly string[] = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];

interface BrokerRuntime {
  readonly jars: string;
  readonly archive: ClassArchive;
  readonly secure: SecureListeners | undefined;
}

/** Writes the node's properties, formats its storage if it is new, and says how to run it. */
export async function prepareBroker(
  node: BrokerNode,
  cluster: readonly BrokerNode[],
  directory: string,
  runtime: BrokerRuntime,
  dependencies: { clock: Clock; guard: Guard },
): Promise<ProcessSpec> {
  const data = join(directory, 'data');
  const properties = join(directory, 'server.properties');
  await mkdir(directory, { recursive: true });
  const { secure } = runtime;
  await writeFile(properties, kafkaProperties(node, cluster, data, secure?.properties));
  // Java expands the star itself.
  const java = ['-cp', join(runtime.jars, 'lib', '*'), ...SMALL_JVM, ...runtime.archive.use];
  if (!existsSync(join(data, 'meta.properties'))) {
    const users = secure?.storageArguments ?? [];
    const format = ['format', '-g', '-t', CLUSTER_ID, '-c', properties, ...users];
    await runProgram('java', [...java, '-Xmx96m', 'kafka.tools.StorageTool', ...format], {
      directory,
      timeoutMs: LIMITS.stackStartTimeoutMs,
      advice: 'The storage of the local Kafka could not be made.',
      ...dependencies,
    });
  }
  const archiving = node.id === 1 ? (runtime.archive.write ?? []) : [];
  return {
    name: `kafka-${node.id}`,
    command: 'java',
    args: [...java, ...archiving, '-Xms128m', '-Xmx256m', 'kafka.Kafka', properties],
    directory,
    ...(archiving.length > 0 ? { afterStop: runtime.archive.keep } : {}),
    answers: async () => (await knownBrokers(node, dependencies.clock)).includes(node.id),
  };
}

/** Ids of the brokers that this one believes alive; empty when it does not answer. */
export async function knownBrokers(node: BrokerNode, clock: Clock): Promise<number[]> {
  const request = metadataRequest();
  const answer = await ask(node.brokerPort, request, isWholeResponse, ANSWER_TIMEOUT_MS, clock);
  return answer === undefined ? [] : parseBrokerIds(answer);
}
