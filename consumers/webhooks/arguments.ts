import { CommandLine, FLAG } from '#runtime/command-line.ts';

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

const line = new CommandLine('See npx halfsight webhooks --help.');

export type WebhooksCommand =
  | { readonly verb: 'help' }
  | { readonly verb: 'list'; readonly json: boolean }
  | { readonly verb: 'test' | 'resume'; readonly name: string };

/** Throws `usage-invalid`. */
export function readWebhooksArguments(args: readonly string[]): WebhooksCommand {
  const { values, positionals } = line.read(args, { json: FLAG, help: FLAG });
  const [first, ...rest] = positionals;
  if (values.help || first === undefined) return { verb: 'help' };
  const verb = line.verb(first, ['list', 'test', 'resume']);
  if (verb === 'list') {
    line.noWord(verb, rest);
    return { verb, json: values.json ?? false };
  }
  if (values.json) throw line.wrong(`${verb} takes no --json.`);
  return { verb, name: line.oneWord(verb, rest, 'the name of one hook') };
}
