import { FormatRegistry, type TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect } from 'vitest';
import { LetterBook } from '#consumers/dead-letters/letter-book.ts';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { type App, PROBLEM_JSON, type PROBLEMS } from '#infra/control/app.ts';
import { buildServer, type ControlOptions } from '#infra/control/server.ts';
import { Telemetry } from '#infra/control/telemetry.ts';
import type { Registry } from '#producers/fleet/registry.ts';
import { type AccessToken, readTokens } from '#runtime/access-tokens.ts';
import { systemClock } from '#runtime/clock.ts';
import { createLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { Host } from '#test/simulation/host.ts';
import { RegistryLink } from '#test/simulation/registry/registry-link.ts';
import { RegistryServer } from '#test/simulation/registry/registry-server.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

const TOKEN = 'a-token-that-is-long-enough';
export const CLIENTS: readonly AccessToken[] = readTokens(
  `# who may\nmaria:${TOKEN}\n`,
  'HALFSIGHT_CONTROL_TOKEN',
);
export const BEARER = { authorization: `Bearer ${TOKEN}` };

FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)));

/** A place where nothing listens. */
const NOWHERE = plainRedis('redis://127.0.0.1:1');

export interface Answer {
  readonly status: number;
  readonly headers: LightMyRequestResponse['headers'];
  readonly body: Record<string, unknown>;
}

/** The API over a registry in memory. */
export class ControlOffice {
  readonly time = new VirtualClock();
  readonly server = new RegistryServer(this.time);
  readonly registry: Registry;
  readonly telemetry = new Telemetry();
  readonly #logged: string[] = [];
  readonly #changes: Partial<ControlOptions>;
  #app: App | undefined;

  constructor(changes: Partial<ControlOptions> = {}) {
    this.registry = this.open('operator');
    this.#changes = changes;
  }

  open(name: string): Registry {
    const link = new RegistryLink(this.server, this.time, seededRandom(1));
    return link.open(new Host(name, this.time));
  }

  async app(): Promise<App> {
    if (this.#app !== undefined) return this.#app;
    const write = (line: string) => void this.#logged.push(line);
    const app = await buildServer({
      registry: this.registry,
      queue: new JobQueue({ redis: NOWHERE, prefix: 'none', kinds: KINDS, clock: systemClock }),
      kinds: KINDS,
      readLetters: async () => new LetterBook(),
      readHeads: async () => [],
      clients: CLIENTS,
      clock: this.time,
      logger: createLogger({ level: 'error', format: 'json', write }),
      auditLogger: createLogger({ level: 'info', format: 'json', write }),
      tracer: noTracer,
      telemetry: this.telemetry,
      stopping: new AbortController().signal,
      ...this.#changes,
    });
    checkAnswers(app);
    this.#app = app;
    return app;
  }

  /** What the API and its audit have logged. */
  get log(): readonly Record<string, unknown>[] {
    return this.#logged.map((line) => JSON.parse(line));
  }

  ask(
    method: NonNullable<InjectOptions['method']>,
    url: string,
    body?: unknown,
    headers: InjectOptions['headers'] = {},
  ): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return this.send({
      ...{ method, url },
      headers: { ...BEARER, ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
  }

  async send(request: InjectOptions): Promise<Answer> {
    const app = await this.app();
    const answer = await this.drive(app.inject(request));
    const { statusCode: status, headers, payload } = answer;
    return { status, headers, body: payload === '' ? {} : JSON.parse(payload) };
  }

  /** Virtual time passes while real work is awaited: a request goes through real streams. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    work.then(settled, settled);
    while (!isSettled) {
      await this.time.run(this.time.monotonicMs() + 1);
      await systemClock.turn();
    }
    return work;
  }
}

/** Every answer must be what the OpenAPI document says. */
function checkAnswers(app: App): void {
  app.addHook('onSend', async ({ routeOptions }, reply, payload) => {
    if (typeof payload !== 'string' || payload === '' || routeOptions.schema === undefined) return;
    const schema = documented(routeOptions.schema.response, reply.statusCode);
    expect(schema, `${routeOptions.url} answers ${reply.statusCode}`).toBeDefined();
    expect([...Value.Errors(schema as TSchema, JSON.parse(payload))]).toEqual([]);
  });
}

function documented(response: unknown, status: number): TSchema | undefined {
  const answers = response as Readonly<Record<string, TSchema | typeof PROBLEMS.default>>;
  const answer = answers[status] ?? answers.default;
  if (answer === undefined || !('content' in answer)) return answer;
  return (answer as typeof PROBLEMS.default).content[PROBLEM_JSON].schema;
}

export async function withOffice(
  story: (office: ControlOffice) => Promise<void>,
  changes: Partial<ControlOptions> = {},
): Promise<void> {
  const office = new ControlOffice(changes);
  try {
    await story(office);
  } finally {
    await (await office.app()).close();
  }
}
