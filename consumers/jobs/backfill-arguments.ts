import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';
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

export interface BackfillArguments {
  readonly order: Order;
  readonly bundle: string | undefined;
  readonly json: boolean;
}

/** Throws `usage-invalid`. */
export function readBackfillArguments(args: readonly string[]): BackfillArguments | 'help' {
  const { id, bundle, heads, cameras, since, until, rate, json, help } = parse(args);
  if (help) return 'help';
  if (id === undefined) throw wrong('--id is missing: it names this backfill.');
  return {
    order: {
      id,
      heads: heads === undefined ? undefined : list(heads),
      cameras: cameras === undefined ? undefined : list(cameras),
      sinceMs: since === undefined ? undefined : timeMs('--since', since),
      untilMs: until === undefined ? undefined : timeMs('--until', until),
      framesPerSecondMax: rate === undefined ? undefined : rateOf(rate),
    },
    bundle,
    json: json ?? false,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    ...{ id: text, bundle: text, heads: text, cameras: text, since: text, until: text },
    ...{ rate: text, json: flag, help: flag },
  };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw wrong(`${(error as Error).message}.`);
  }
}

function list(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

/** No age, such as 12h: after a restart it would be another time. */
function timeMs(name: string, text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw wrong(`${name} must be a time such as 2026-11-28T20:00:00Z, but is "${text}".`);
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (rate > 0 && Number.isFinite(rate)) return rate;
  throw wrong(`--rate must be a number above 0, but is "${text}".`);
}

function wrong(message: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, {
    advice: 'See npm run backfill -- --help.',
  });
}
