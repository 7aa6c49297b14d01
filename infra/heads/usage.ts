import { LIMITS } from '#runtime/limits.ts';

/** In the order in which an operator meets them. */
export const VERBS = ['list', 'add', 'shadow', 'report', 'switch', 'retire'] as const;
export type Verb = (typeof VERBS)[number];

const LOOK_S = LIMITS.headPollIntervalMs / 1000;
const TELL_S = LIMITS.shadowReportIntervalMs / 1000;
const TRIAL_S = LIMITS.headTrialMsMax / 1000;
const BYTES_MIB = LIMITS.headBytesMax / 1024 / 1024;
const ENDS = LIMITS.shadowFailuresMax;

export const HEADS_USAGE = `\
Usage: npx halfsight heads COMMAND [options]

New heads for consumers that run: one is added, runs in shadow beside the live one, is compared, and
takes its place between two frames of each partition. No camera, and no consumer, is restarted.

  list    which heads there are, and which are live or in shadow
  add     takes a head into the folder, and checks it
  shadow  runs a head beside the live one; its findings are compared, and not published
  report  how a head in shadow compares with the live one
  switch  makes a head the live one; also back to one before
  retire  takes a head out of the folder

npx halfsight heads COMMAND --help says more. HALFSIGHT_HEADS_DIRECTORY is the folder, the same
(or a copy of it) for the command and all consumers, who look every ${LOOK_S} s. HALFSIGHT_BUNDLE
is the bundle that they run. Exit code 1: it was not done; 2: the arguments or the environment are
wrong.
`;

const TASK_AND_VERSION = `\
  TASK       classification, detection or segmentation
  VERSION    as list shows it
`;

/** What `heads COMMAND --help` says. */
export const VERB_USAGE: Readonly<Record<Verb, string>> = {
  list: `\
Usage: npx halfsight heads list [--json]

One line a head: its task, version, whether it is live or in shadow, its size and the digest that
results name (head_digest); and what is wrong with it. --json: a JSON object a line.
`,
  add: `\
Usage: npx halfsight heads add DIR [--json]

Checks the head in DIR against the bundle that consumers run and copies it into the folder; nothing
runs it yet. DIR holds the ONNX file, the labels and head.json:

  {"format": "halfsight-head/1",
   "bundle": {"name": ..., "body": SHA-256 of its body, "tables": SHA-256 of its tables},
   "head": as in bundle.json, with a version of its own,
   "files": {NAME: {"sha256": ..., "bytes": ...}, ...}}

python3 models/run.py bundling.head makes such a folder. A head made for another body or other
tables is refused: it would be fed features that it does not know. All its files have at most
${BYTES_MIB} MiB.
`,
  shadow: `\
Usage: npx halfsight heads shadow TASK VERSION|off [--json]

Runs a head beside the live one of its task, on the same features and after it, while consumers
have time to spare, for at most half of the engine's time. One that fails is counted; one that ends
or stalls the engine ${ENDS} times in a row is given up (head-refused in the log). "off" ends that.

${TASK_AND_VERSION}`,
  report: `\
Usage: npx halfsight heads report TASK [--json]

How heads in shadow compare with the live ones of a task, summed over all consumers. The live head
is not the truth: the figures say how much would change, not what would be better.

  classification  top-1: the same best label; top-k overlap: of the labels that both name
  detection       boxes of one label with an IoU of at least 0.5: precision (of the shadow's boxes),
                  recall (of the live ones), F1, mean IoU
  segmentation    mean IoU over the labels that either has in a frame
  score diff      mean difference of the scores of what both found
  live ms         time of the live head for a frame, and shadow ms that of the one in shadow

Consumers tell every ${TELL_S} s. KAFKA_BROKERS and KAFKA_TOPIC_PREFIX say where.
`,
  switch: `\
Usage: npx halfsight heads switch TASK VERSION [--json]

Makes a head the live one. Each consumer opens it in an engine of its own, tries it on its newest
batches and then changes, between two frames of each partition. A head that cannot be opened, or
fails or takes more than ${TRIAL_S} s there, is refused: the consumer's log says why (head-refused),
and what was live goes on. Until the engine before is gone, both of them take memory. The bundle's
own version leads back to its own head.

${TASK_AND_VERSION}`,
  retire: `\
Usage: npx halfsight heads retire TASK VERSION [--json]

Takes a head out of the folder, and out of shadow if it is there. The live one cannot be retired.

${TASK_AND_VERSION}`,
};
