import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { SecureAccess } from '#infra/local/secure-listeners.ts';
import type { LocalStack } from '#infra/local/stack.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker, BrokerSettings } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { createLogger } from '#runtime/log.ts';
import { freshSeed } from '#runtime/random.ts';
import { bareEnvironment } from '#test/fixtures/bare-environment.ts';
import { useStack } from '#test/integration/stack.ts';

/** A stack whose users have passwords, certificates and ACLs, and everything that was ever said. */

const ROOT = join(import.meta.dirname, '..', '..', '..');

export interface SecuredStack {
  readonly stack: () => LocalStack;
  readonly secure: () => SecureAccess;
  /** Words that no output may hold. */
  readonly passwords: Readonly<Record<string, string>>;
  /** Of all commands and clients so far. */
  readonly said: string[];
  /** What a user's process has in its environment; the password is in a file. */
  variables(user: string, password?: string): Record<string, string>;
  /** The broker as a user sees it; it logs everything. */
  as(user: string, changes?: Partial<BrokerSettings>): Broker;
  /** Runs a program of the project to its end as a user. */
  run(
    user: string,
    command: readonly string[],
    variables?: Readonly<Record<string, string>>,
  ): Promise<{ readonly code: number | null; readonly output: string }>;
}

export function useSecuredStack(
  users: readonly string[],
  certificates: readonly string[],
): SecuredStack {
  const passwords = Object.fromEntries(
    users.map((user) => [user, `secret-of-${user}-${freshSeed().toString(36)}`]),
  );
  const superUser = defined(users[0], 'the super user');
  const stack = useStack({ redis: false, secure: { users: passwords, superUser, certificates } });
  const secure = () => defined(stack().secure, 'the secure listeners');
  const said: string[] = [];
  const brokers: Broker[] = [];
  afterAll(() => Promise.all(brokers.map((broker) => broker.close())));
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-secrets-'));

  const variables = (user: string, password = defined(passwords[user], `user ${user}`)) => {
    const file = join(folder, `${user}-${password.length}`);
    writeFileSync(file, `${password}\n`, { mode: 0o600 });
    return {
      KAFKA_BROKERS: secure().brokers.join(','),
      KAFKA_TLS_CA_FILE: secure().caFile,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD_FILE: file,
      HALFSIGHT_LOG_LEVEL: 'debug',
    };
  };
  const write = (line: string) => void said.push(line);
  const logger = createLogger({ level: 'debug', format: 'json', write });

  return {
    ...{ stack, secure, passwords, said, variables },
    as(username, changes = {}) {
      const password = passwords[username] ?? '';
      const settings: BrokerSettings = {
        brokers: secure().brokers,
        clientId: `test-${username}`,
        tls: { caFile: secure().caFile },
        sasl: { mechanism: 'scram-sha-512', username, password },
        ...changes,
      };
      const broker = openKafka(settings, { clock: systemClock, logger });
      brokers.push(broker);
      return broker;
    },
    async run(user, [main = '', ...args], changes = {}) {
      const child = spawn(process.execPath, [join(ROOT, main), ...args], {
        env: { ...bareEnvironment(), ...variables(user), ...changes },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (data: Buffer) => {
          output += data.toString();
        });
      }
      const [code] = (await once(child, 'close')) as [number | null];
      said.push(output);
      return { code, output };
    },
  };
}
