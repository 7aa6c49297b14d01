import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';
import { Guard } from '#infra/local/guard.ts';
import { ManagedProcess, type ProcessSpec } from '#infra/local/managed-process.ts';
import { choosePorts } from '#infra/local/ports.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';

const TOKEN = 'administrator-of-a-cluster-on-this-machine-alone';

export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Etcd and kube-apiserver, which begin empty; both end with this process, however it ends. */
export class ControlPlane {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #guard: Guard;
  readonly #servers: ManagedProcess[] = [];

  private constructor(directory: string) {
    const folder = (name: string) => join(directory, name);
    this.#guard = new Guard(silentLogger);
    this.#environment = {
      ...process.env,
      KUBECONFIG: folder('kubeconfig.yaml'),
      ...{ HELM_CACHE_HOME: folder('helm'), HELM_CONFIG_HOME: folder('helm') },
      HELM_DATA_HOME: folder('helm'),
    };
  }

  /** With `kubectl`, `etcd` and `kube-apiserver` of PATH; what the folder held is gone. */
  static async start(directory: string): Promise<ControlPlane> {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const [client = 0, peer = 0, secure = 0] = await choosePorts(3, [], seededRandom(freshSeed()));
    writeFileSync(join(directory, 'kubeconfig.yaml'), kubeconfig(`https://127.0.0.1:${secure}`));
    const plane = new ControlPlane(directory);
    const isReady = async () => {
      const { status } = await plane.run('kubectl', ['get', '--raw=/readyz']);
      return status === 0;
    };
    try {
      await plane.#start(etcd(directory, client, peer));
      await plane.#start(apiServer(directory, `http://127.0.0.1:${client}`, secure, isReady));
    } catch (error) {
      await plane.stop();
      throw error;
    }
    return plane;
  }

  async #start(spec: ProcessSpec): Promise<void> {
    const server = new ManagedProcess(spec, {
      ...{ clock: systemClock, logger: silentLogger, guard: this.#guard },
    });
    this.#servers.unshift(server);
    await server.start();
  }

  /** Runs a program against this cluster to its end, as an administrator. */
  async run(program: 'kubectl' | 'helm', args: readonly string[], input = ''): Promise<Said> {
    const child = spawn(program, args, { env: this.#environment });
    child.stdin.on('error', () => undefined).end(input);
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { status, stdout, stderr };
  }

  /** The same; resolves with what it printed, or rejects with what it said. */
  async mustRun(program: 'kubectl' | 'helm', args: readonly string[], input = '') {
    const { status, stdout, stderr } = await this.run(program, args, input);
    if (status === 0) return stdout;
    throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    await this.#guard.close();
  }
}

function etcd(directory: string, clientPort: number, peerPort: number): ProcessSpec {
  const [client, peer] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
  return {
    name: 'etcd',
    command: 'etcd',
    args: [
      ...[`--data-dir=${join(directory, 'etcd')}`, '--unsafe-no-fsync'],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
      `--initial-cluster=default=${peer}`,
    ],
    directory,
    answers: () =>
      fetch(`${client}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
  };
}

function apiServer(
  directory: string,
  etcdUrl: string,
  port: number,
  answers: () => Promise<boolean>,
): ProcessSpec {
  const tokens = join(directory, 'tokens.csv');
  writeFileSync(tokens, `${TOKEN},administrator,1,system:masters\n`);
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = join(directory, 'service-accounts.pem');
  writeFileSync(key, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return {
    name: 'kube-apiserver',
    command: 'kube-apiserver',
    // Admission as it is by default: Pod Security, service accounts, priorities, runtime classes.
    args: [
      ...[`--etcd-servers=${etcdUrl}`, '--bind-address=127.0.0.1', `--secure-port=${port}`],
      ...[`--cert-dir=${join(directory, 'certificates')}`, '--endpoint-reconciler-type=none'],
      ...['--authorization-mode=RBAC', `--token-auth-file=${tokens}`],
      ...['--service-account-issuer=https://127.0.0.1', `--service-account-key-file=${key}`],
      ...[`--service-account-signing-key-file=${key}`, '--service-cluster-ip-range=10.0.0.0/24'],
    ],
    directory,
    answers,
  };
}

function kubeconfig(server: string): string {
  // Its certificate is its own, made at its start.
  const cluster = { server, 'insecure-skip-tls-verify': true };
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'here', cluster }],
    users: [{ name: 'administrator', user: { token: TOKEN } }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'administrator' } }],
    'current-context': 'here',
  });
}
