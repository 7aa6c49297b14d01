import type { LetterFilter } from '#consumers/dead-letters/letter-book.ts';
import { type Access, readBook } from '#consumers/dead-letters/read-letters.ts';
import { settleLetters } from '#consumers/dead-letters/settle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { openFraming } from '#schemas/open-framing.ts';
import type { Fields, JobKind, JobNews, OrderOf } from './kind.ts';

const FIELDS = {
  camera: { type: 'text', help: 'letters of a camera' },
  reason: { type: 'text', help: 'such as bitstream-tables-unknown' },
  since: { type: 'time', help: 'given up then or later, 2026-11-28T20:00:00Z' },
  until: { type: 'time', help: 'and up to then; default: when the job was added' },
  topic: { type: 'text', help: 'records that came from this topic' },
  all: { type: 'flag', help: 'without any of these: every open letter' },
  note: { type: 'text', help: 'why, for whoever reads it later' },
} as const satisfies Fields;

/**
 * `npm run dead-letters -- redrive` as a job. Letters that came after it was added, perhaps of the
 * very records that it put back, are none of its business, or a job that is run again would redrive
 * them without end.
 */
export const REDRIVE: JobKind<typeof FIELDS> = {
  name: 'redrive',
  summary: 'puts the records of dead letters back on the topic that they came from',
  fields: FIELDS,

  check({ camera, reason, since, until, topic, all }) {
    const isFiltered = [camera, reason, since, until, topic].some((one) => one !== undefined);
    if (isFiltered || all === true) return;
    throw new HalfsightError('usage-invalid', 'which letters? None is named.', {
      advice: 'Give a filter, or all.',
    });
  },

  async run(order, { stopping, environment, ...context }) {
    const framing = await openFraming(environment.schemaRegistry, context.topics);
    const access = { ...context, framing, stopping };
    const filter = filterOf(order, context.addedMs);
    try {
      return await redrive(access, filter, { note: order.note ?? '', by: `job ${context.id}` });
    } catch (error) {
      // Between two transactions; what is settled is found again.
      if (stopping.aborted) return 'stopped';
      throw error;
    }
  },
};

function filterOf(
  { camera, reason, since, until, topic }: OrderOf<typeof FIELDS>,
  addedMs: number,
): LetterFilter {
  return {
    ...(camera === undefined ? {} : { cameraId: camera }),
    ...(reason === undefined ? {} : { reason }),
    ...(topic === undefined ? {} : { originTopic: topic }),
    ...(since === undefined ? {} : { sinceUs: since * 1000 }),
    untilUs: Math.min(until ?? addedMs, addedMs) * 1000,
  };
}

async function redrive(
  access: Access,
  filter: LetterFilter,
  order: { readonly note: string; readonly by: string },
): Promise<JobNews> {
  const book = await readBook(access);
  const letters = book.matching(filter);
  const open = letters.filter((letter) => book.stateOf(letter) === 'open');
  const chosen = open.filter(({ obstacle }) => obstacle === undefined);
  const before = letters.filter((letter) => book.actionOn(letter)?.by === order.by).length;
  const { settled } = await settleLetters(access, chosen, { ...order, action: 'redriven' });
  const figures = {
    redriven: before + settled,
    // Of the chosen ones, by others or before.
    dealtWithByOthers: letters.length - open.length - before + chosen.length - settled,
    cannotBeRedriven: open.length - chosen.length,
  };
  const { redriven, dealtWithByOthers, cannotBeRedriven } = figures;
  const text =
    `${redriven} redriven, ${dealtWithByOthers} dealt with by others, ` +
    `${cannotBeRedriven} cannot be`;
  return { text, figures };
}
