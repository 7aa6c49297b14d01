import { chooseFormat, type FrameFormat } from '#consumers/export/format.ts';
import { FRAME_FORMATS } from '#consumers/export/frame-formats.ts';
import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
import type { Task } from '#schemas/result.ts';

const WIDTH = Math.max(...FRAME_FORMATS.map(({ name }) => name.length));
const TASKS_OF_ANY = new Set(FRAME_FORMATS.flatMap(({ tasks }) => tasks));

export const BRIDGE_USAGE = `\
Usage: npx halfsight bridge --format FORMAT --topic TASK --to TOPIC [options]

Writes the results of a task in a format of others, as they come, until it is stopped: each one once
into a topic, whatever is killed, and those of a camera in their order.

  --format FORMAT         one of these:
${FRAME_FORMATS.map(({ name, summary }) => `    ${name.padEnd(WIDTH)}  ${summary}`).join('\n')}
  --topic TASK            ${[...TASKS_OF_ANY].join(', ')}
  --to TOPIC              a topic of the same brokers, which must be there already: a record a
                          frame, keyed by camera; or - for standard output, a line a frame
  --from earliest|latest  where it begins when it was never here; default latest: what comes from
                          now on
  --help

As many as there are partitions share the work; none need be told of another. What is left out is
counted, with the reason. consumers/bridge/README.md says what the formats hold, and what not.
`;

const line = new CommandLine('See npx halfsight bridge --help.');
/** Kafka's own rule (org.apache.kafka.common.internals.Topic). */
const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
export const STANDARD_OUTPUT = '-';

export interface BridgeArguments {
  readonly format: FrameFormat;
  readonly task: Task;
  /** A topic, or `STANDARD_OUTPUT`. */
  readonly to: string;
  readonly from: 'earliest' | 'latest';
}

/** `ownTopics`: which no bridge may write. Throws `usage-invalid`. */
export function readBridgeArguments(
  args: readonly string[],
  ownTopics: readonly string[],
): BridgeArguments | 'help' {
  const options = { format: TEXT, topic: TEXT, to: TEXT, from: TEXT, help: FLAG };
  const values = line.readOptions(args, options);
  if (values.help) return 'help';
  const formatName = line.needed('--format', values.format);
  const taskName = line.needed('--topic', values.topic);
  const { format, task } = chooseFormat(FRAME_FORMATS, formatName, taskName);
  const to = line.needed('--to', values.to);
  if (to !== STANDARD_OUTPUT && !TOPIC_NAME.test(to)) throw line.wrong(`"${to}" can be no topic.`);
  if (ownTopics.includes(to))
    throw line.wrong(`${to} is a topic of Halfsight, for its own records.`);
  const from = line.oneOf('--from', values.from, ['earliest', 'latest']) ?? 'latest';
  return { format, task, to, from };
}
