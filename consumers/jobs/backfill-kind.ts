import type { Fields, JobKind } from './kind.ts';
import { checkSelection } from './order.ts';
import { runPreparedBackfill } from './prepared-backfill.ts';
import { progressText, summaryText } from './progress-text.ts';

const FIELDS = {
  heads: {
    type: 'list',
    help: 'detection, or detection-2: version 2 in the folder of heads; default: all of the bundle',
  },
  cameras: { type: 'list', help: 'default: all' },
  since: { type: 'time', help: 'frames written to Kafka then or later; default: the oldest' },
  until: { type: 'time', help: 'and before then; default: when the job is first run' },
  rate: { type: 'number', help: 'analyses at most so many frames a second' },
  bundle: { type: 'text', help: "folder on the worker's machine; default: its HALFSIGHT_BUNDLE" },
} as const satisfies Fields;

/** `npm run backfill` as a job; the job's id is the backfill's. */
export const BACKFILL: JobKind<typeof FIELDS> = {
  name: 'backfill',
  summary: 'runs heads over frames that are stored; results on topics of their own',
  fields: FIELDS,

  check({ cameras, since, until }, nowMs) {
    checkSelection({ cameras, sinceMs: since, untilMs: until }, nowMs);
  },

  async run({ heads, cameras, since, until, rate, bundle }, context) {
    const order = {
      ...{ id: context.id, heads, cameras, sinceMs: since, untilMs: until },
      framesPerSecondMax: rate,
    };
    let isHeld = false;
    const { environment, broker, clock, logger, tracer, stopping } = context;
    const summary = await runPreparedBackfill(order, {
      ...{ environment, broker, clock, logger, tracer, stopping },
      bundleDirectory: bundle,
      async mayRun() {
        const mayRun = await context.mayRun();
        isHeld = !mayRun;
        return mayRun;
      },
      onThrottled: context.throttled,
      onProgress(progress) {
        const held = isHeld ? '; held, because live consumers are behind' : '';
        const text = `${progressText(progress)}${held}`;
        context.progress({ text, figures: { ...progress, isHeld } });
      },
    });
    if (summary.state === 'stopped') return 'stopped';
    const { state: _, ...figures } = summary;
    return { text: summaryText(summary), figures };
  },
};
