import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import { bareEnvironment } from '#test/fixtures/bare-environment.ts';

/** Processes of one version, whose folder `root` is, with the bundle that both sides have. */
export interface Side {
  readonly root: string;
  readonly bundle: string;
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly registryUrl: string | undefined;
}

export interface SideProcess {
  readonly log: () => string;
  /** Throws where it ended with another exit code than 0. */
  stop(): Promise<void>;
  kill(): void;
}

const CAMERAS = 2;

export function startAgent(side: Side, framesPerSecond: number): SideProcess {
  const file = join(mkdtempSync(join(tmpdir(), 'halfsight-agent-')), 'agent.yaml');
  const cameras = Array.from({ length: CAMERAS }, (_, index) => {
    const source = `synthetic:street?seed=${index}&width=320&height=240`;
    return `  - {id: camera-${index}, fps: ${framesPerSecond}, source: "${source}"}`;
  });
  writeFileSync(file, `agent: {id: agent-a, encoderWorkers: 1}\ncameras:\n${cameras.join('\n')}\n`);
  return start(side, ['producers/camera/main.ts', '--config', file]);
}

export function startConsumer(side: Side): SideProcess {
  return start(side, ['consumers/inference/main.ts']);
}

export async function redrive(side: Side): Promise<void> {
  const words = ['redrive', '--reason', 'schema-unknown', '--yes'];
  await start(side, ['consumers/dead-letters/main.ts', ...words]).stop('when it has ended');
}

function start(side: Side, [main = '', ...args]: readonly string[]) {
  const { root, bundle, brokers, prefix, registryUrl } = side;
  const child = spawn(process.execPath, [...HEAP_OPTIONS, join(root, main), ...args], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...bareEnvironment(),
      KAFKA_BROKERS: brokers.join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      KAFKA_GROUP_ID: `${prefix}-inference`,
      HALFSIGHT_BUNDLE: bundle,
      ...(registryUrl === undefined ? {} : { SCHEMA_REGISTRY_URL: registryUrl }),
    },
  });
  let log = '';
  child.stderr.on('data', (data) => {
    log += String(data);
  });
  const exited = once(child, 'exit');
  return {
    log: () => log,
    async stop(when: 'now' | 'when it has ended' = 'now') {
      if (when === 'now') endOf(child);
      const [code] = await exited;
      if (code !== 0)
        throw new Error(`${main} of ${root} ended with ${code}:\n${log.slice(-2000)}`);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function endOf(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGTERM');
}
