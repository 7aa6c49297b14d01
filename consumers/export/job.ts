import type { Fields, JobContext, JobKind, JobNews, OrderOf } from '#consumers/jobs/kind.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS } from '#schemas/result.ts';
import { backfillTopics } from '#schemas/topics.ts';
import { runExport } from './export.ts';
import { FORMATS } from './formats.ts';
import { checkAbsolute, checkOrder, type ExportOrder } from './order.ts';
import { progressText, summaryText } from './text.ts';

const FIELDS = {
  format: { type: 'text', required: true, help: FORMATS.map(({ name }) => name).join(', ') },
  topic: { type: 'text', required: true, help: TASKS.join(', ') },
  output: { type: 'text', required: true, help: "absolute path, on the worker's machine" },
  since: { type: 'time', help: 'captured then or later; default: the oldest' },
  until: { type: 'time', help: 'and before then; default, and at the latest: when it was added' },
  cameras: { type: 'list', help: 'default: all' },
  backfill: { type: 'text', help: 'what the backfill with this id found, instead of live results' },
} as const satisfies Fields;

type Order = OrderOf<typeof FIELDS>;

/**
 * `npx halfsight export`, run by a worker. It has an end in time, so that a repetition writes the
 * same file; only results of frames that come late (from a spool, or redriven) may be added.
 */
export const EXPORT_JOB: JobKind<typeof FIELDS> = {
  name: 'export',
  summary: 'writes results of a topic into a file',
  fields: FIELDS,
  check(order, nowMs) {
    checkedOrder(order, nowMs);
  },
  async run(order, context): Promise<JobNews | 'stopped'> {
    const { environment, topics, broker, clock, stopping } = context;
    const read = order.backfill === undefined ? topics : backfillTopics(topics);
    const summary = await runExport({
      ...{ order: checkedOrder(order, context.addedMs), broker, topics, clock, stopping },
      framing: await openFraming(environment.schemaRegistry, read),
      onProgress: (progress) => tell(context, progressText(progress), progress),
    });
    if (summary === undefined) return 'stopped';
    return { text: summaryText(summary).replaceAll('\n', '; '), figures: { ...summary } };
  },
};

function checkedOrder({ since, until, ...order }: Order, addedMs: number): ExportOrder {
  checkAbsolute(order.output);
  if (until !== undefined && until > addedMs) {
    throw new HalfsightError('usage-invalid', 'until is yet to come: a later run would differ.');
  }
  return checkOrder({ ...order, sinceMs: since, untilMs: until ?? addedMs });
}

function tell(context: JobContext, text: string, figures: object): void {
  context.progress({ text, figures: { ...figures } });
}
