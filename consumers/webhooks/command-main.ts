import type { Redis } from 'ioredis';
import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import {
  brokerSettings,
  type Environment,
  readEnvironment,
  redisSettings,
} from '#runtime/settings.ts';
import { topicTable } from '#schemas/topics.ts';
import { readWebhooksArguments, WEBHOOKS_USAGE, type WebhooksCommand } from './arguments.ts';
import { hookNamed, listHooks, resumeHook, testHook } from './commands.ts';
import type { Hook } from './hook.ts';
import { readHooks } from './hooks-file.ts';
import { promptRedis } from './redis-link.ts';
import { type HookStatus, listText, testText } from './text.ts';

/** `npx halfsight webhooks`: see WEBHOOKS_USAGE. */
const clock = systemClock;

await runCommand((args) => run(readWebhooksArguments(args)));

async function run(command: WebhooksCommand): Promise<boolean> {
  if (command.verb === 'help') {
    await print(WEBHOOKS_USAGE);
    return true;
  }
  const environment = readEnvironment();
  const { topicPrefix: prefix } = environment;
  const hooks = readHooks(environment);
  switch (command.verb) {
    case 'list': {
      const listed = await withRedis(environment, (redis) => list(environment, hooks, redis));
      const json = () => listed.map((hook) => `${JSON.stringify(hook)}\n`).join('');
      await print(command.json ? json() : listText(listed));
      return true;
    }
    case 'resume': {
      const hook = hookNamed(hooks, command.name);
      await withRedis(environment, (redis) => resumeHook(redis, prefix, hook));
      await print(`${hook.name}: resumed.\n`);
      return true;
    }
    case 'test': {
      const outcome = await testHook(hookNamed(hooks, command.name), clock);
      await print(testText(outcome));
      return outcome.isAccepted;
    }
  }
}

async function withRedis<T>(
  environment: Environment,
  work: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = await promptRedis(redisSettings(environment), clock);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function list(
  environment: Environment,
  hooks: readonly Hook[],
  redis: Redis,
): Promise<readonly HookStatus[]> {
  const { topicPrefix: prefix } = environment;
  const topics = topicTable({ prefix });
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const broker = openKafka(brokerSettings(environment, 'webhooks', brokers), {
    clock,
    logger: commandLogger,
  });
  try {
    return await listHooks({ hooks, redis, prefix, broker, topics });
  } finally {
    await broker.close();
  }
}
