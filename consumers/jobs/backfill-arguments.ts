import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
import type { Order } from './order.ts';

export const BACKFILL_USAGE = `\
Usage: npm run backfill -- --id ID [options]

Runs heads on frames that cameras have sent already, as far back as Kafka keeps them, and writes
what they find to the topics of backfills (PREFIX.result.TASK.backfill.v1): one result of each
chosen frame and head. It can be ended, killed too, and started again with the same ID: then it goes
on. Workers started with the same ID share the work.

  --id ID          names this backfill
  --bundle DIR     body and heads; its tables must be those of the cameras' bundle, else frames
                   become dead letters (PREFIX.inference.dead-letter.backfill.v1);
                   default HALFSIGHT_BUNDLE
  --heads A,B      default: all of the bundle; detection-2 is version 2 of the detection head in
                   HALFSIGHT_HEADS_DIRECTORY (npx halfsight heads), newer than the frames or not.
                   They run on every chosen frame, also where its camera did not want them
  --cameras A,B    default: all
  --since TIME     frames written to Kafka then or later, 2026-11-28T20:00:00Z;
                   default: the oldest
  --until TIME     and before then; default: when it was first started
  --rate N         analyses at most N frames a second, in each worker
  --json           progress and, as the last line, the summary as JSON
  --help

Exits with 0 when all is done.
`;

const line = new CommandLine('See npm run backfill -- --help.');

export interface BackfillArguments {
  readonly order: Order;
  readonly bundle: string | undefined;
  readonly json: boolean;
}

/** Throws `usage-invalid`. */
export function readBackfillArguments(args: readonly string[]): BackfillArguments | 'help' {
  const { id, bundle, heads, cameras, since, until, rate, json, help } = line.readOptions(args, {
    ...{ id: TEXT, bundle: TEXT, heads: TEXT, cameras: TEXT, since: TEXT, until: TEXT },
    ...{ rate: TEXT, json: FLAG, help: FLAG },
  });
  if (help) return 'help';
  if (id === undefined) throw line.wrong('--id is missing: it names this backfill.');
  return {
    order: {
      id,
      heads: heads === undefined ? undefined : list(heads),
      cameras: cameras === undefined ? undefined : list(cameras),
      // No age, such as 12h: after a restart it would be another time.
      sinceMs: line.timeMs('--since', since),
      untilMs: line.timeMs('--until', until),
      framesPerSecondMax: rate === undefined ? undefined : rateOf(rate),
    },
    bundle,
    json: json ?? false,
  };
}

function list(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (rate > 0 && Number.isFinite(rate)) return rate;
  throw line.wrong(`--rate must be a number above 0, but is "${text}".`);
}
