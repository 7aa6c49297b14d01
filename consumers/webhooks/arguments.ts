import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';

export const WEBHOOKS_USAGE = `\
Usage: npx halfsight webhooks COMMAND [options]

The hooks of HALFSIGHT_WEBHOOKS, to which \`npm run webhooks\` sends results;
consumers/webhooks/webhooks.example.yaml is the manual.

  list [--json]    a line a hook: its state, how many events were delivered, how many wait in Redis,
                   how many results are still to be read, and the last failure
  test NAME        sends one signed event, {"test":true,...}, and prints the answer; exit code 1
                   where it is not accepted
  resume NAME      goes on with a hook that was parked, or rests; also with events set aside

list and resume need REDIS_URL, list also KAFKA_BROKERS; KAFKA_TOPIC_PREFIX says which installation
is meant. A parked hook keeps its place: its events wait in Redis, and as long as Kafka keeps them,
its results.
`;

export type WebhooksCommand =
  | { readonly verb: 'help' }
  | { readonly verb: 'list'; readonly json: boolean }
  | { readonly verb: 'test' | 'resume'; readonly name: string };

/** Throws `usage-invalid`. */
export function readWebhooksArguments(args: readonly string[]): WebhooksCommand {
  const { values, positionals } = parse(args);
  const [verb, name, ...more] = positionals;
  if (values.help || verb === undefined) return { verb: 'help' };
  if (verb !== 'list' && verb !== 'test' && verb !== 'resume') {
    throw wrong(`there is no command "${verb}": there are list, test, resume.`);
  }
  if (verb === 'list') {
    if (name !== undefined) throw wrong(`list takes no "${name}".`);
    return { verb, json: values.json ?? false };
  }
  if (values.json) throw wrong(`${verb} takes no --json.`);
  if (name === undefined || more.length > 0) throw wrong(`${verb} takes the name of one hook.`);
  return { verb, name };
}

function parse(args: readonly string[]) {
  const options = { json: { type: 'boolean' }, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw wrong(`${(error as Error).message}.`);
  }
}

function wrong(message: string): HalfsightError {
  const advice = 'See npx halfsight webhooks --help.';
  return new HalfsightError('usage-invalid', message, { advice });
}
