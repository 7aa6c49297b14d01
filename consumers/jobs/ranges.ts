import { createHash } from 'node:crypto';
import { decideEach, decidePosition } from '#consumers/subscriber/decide-position.ts';
import type { Broker } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** What a job reads of one partition: offsets from `start` on, and before `end`. */
export interface Range {
  readonly partition: number;
  readonly start: number;
  readonly end: number;
}

export interface RangeOptions {
  readonly broker: Broker;
  readonly topic: string;
  /** The job's own. */
  readonly groupId: string;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** All that must be the same whenever the job is started. */
  readonly subject: string;
}

/**
 * The ranges of a job, one a partition, fixed when it was started for the first time: by whoever
 * came first, and for everyone who starts it again or beside him. They are kept as positions of two
 * groups, so that Kafka is all that a job needs:
 *
 *   GROUP.plan   position: the end of the range; its note: the start, and a hash of the subject
 *   GROUP        position: how far the job is; the start of the range, until something is done
 *
 * The second is written before anyone joins the group, or its first member would read the topic
 * from its oldest record. Kafka forgets both a week after the last commit
 * (`offsets.retention.minutes`); the frames are gone before.
 */
export async function fixRanges(options: RangeOptions): Promise<Range[]> {
  const proposed = await proposeRanges(options);
  const ranges = await decideEach(proposed, (range) => fixRange(range, options));
  const { broker, groupId, topic } = options;
  const begun = await broker.committedOffsets(groupId, topic);
  // Not of a partition that has a position: its owner, who may be at work, would be fenced.
  const unbegun = ranges.filter(({ partition }) => !begun.has(partition));
  await decideEach(unbegun, ({ partition, start }) =>
    decidePosition(broker, { groupId, topic, partition }, { offset: start, note: undefined }),
  );
  return ranges;
}

async function proposeRanges({ broker, topic, sinceMs, untilMs }: RangeOptions): Promise<Range[]> {
  const partitions = await broker.offsets(topic);
  const starts = sinceMs === undefined ? undefined : await broker.offsetsAt(topic, sinceMs);
  const ends =
    untilMs === undefined
      ? undefined
      : await broker.offsetsAt(topic, untilMs + LIMITS.backfillClockSkewMs);
  return partitions.map(({ partition, low, high }) => {
    const end = Math.min(ends?.get(partition) ?? high, high);
    return { partition, start: Math.min(starts?.get(partition) ?? low, end), end };
  });
}

async function fixRange(
  { partition, start, end }: Range,
  { broker, topic, groupId, subject }: RangeOptions,
): Promise<Range> {
  const hash = createHash('sha256').update(subject).digest('hex');
  const plan = { groupId: `${groupId}.plan`, topic, partition };
  const fixed = await decidePosition(broker, plan, { offset: end, note: `${hash} ${start}` });
  const [fixedHash, fixedStart] = fixed.note?.split(' ') ?? [];
  if (fixedHash !== hash) {
    throw new HalfsightError('usage-invalid', 'this id is that of another backfill.', {
      advice:
        'It was begun with another bundle, other heads, cameras or times: ' +
        'repeat those to go on with it, or take another id.',
    });
  }
  return { partition, start: Number(fixedStart), end: fixed.offset };
}
