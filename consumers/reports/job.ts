import { createHash } from 'node:crypto';
import { isAbsolute } from 'node:path';
import type { Fields, JobContext, JobKind, JobNews, OrderOf } from '#consumers/jobs/kind.ts';
import { readBalance } from '#consumers/subscriber/read-balance.ts';
import { readSecrets } from '#consumers/webhooks/hooks-file.ts';
import { post } from '#consumers/webhooks/post.ts';
import { AtomicFile } from '#runtime/atomic-file.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { readLag } from './lag.ts';
import { eventBody, lagText, makeReport, reportText } from './report.ts';

const FIELDS = {
  output: {
    type: 'text',
    help: "absolute path, on the worker's machine: PATH.json and PATH.txt are written",
  },
  url: { type: 'text', help: 'where the JSON is sent to, signed like the events of webhooks' },
  'secret-file': {
    type: 'text',
    help: "of --url: absolute path, on the worker's machine, of a file with a whsec_ secret",
  },
} as const satisfies Fields;

type Order = OrderOf<typeof FIELDS>;

/** How far live consumers are behind, and whether all frames add up, for a file or a receiver. */
export const REPORT_JOB: JobKind<typeof FIELDS> = {
  name: 'report',
  summary: 'reports the lag of consumers and the balance of each camera',
  fields: FIELDS,
  check(order) {
    checkOrder(order);
  },
  async run(order, context): Promise<JobNews | 'stopped'> {
    const { environment, topics, broker, clock, stopping } = context;
    const framing = await openFraming(environment.schemaRegistry, topics);
    const balance = await readBalance({ broker, topics, framing, clock, stopping });
    if (stopping.aborted) return 'stopped';
    const live = { topic: topics.frames.name, groupId: environment.groupId };
    const lag = await readLag({ broker, clock, ...live });
    const report = makeReport(balance, lag, clock.nowUs());
    if (order.output !== undefined) {
      await write(`${order.output}.json`, `${JSON.stringify(report)}\n`);
      await write(`${order.output}.txt`, reportText(report, balance));
    }
    if (order.url !== undefined) await send(order, eventBody(report), context);
    const { balanced, waiting, cameras } = report;
    const verdict = balanced ? 'adds up' : 'does NOT add up';
    return {
      text: `${cameras.length} cameras: ${verdict}; ${lagText(lag)}`,
      figures: { balanced, waiting, cameras: cameras.length, framesUnread: lag.frames },
    };
  },
};

function checkOrder({ output, url, 'secret-file': secretFile }: Order): void {
  if (output === undefined && url === undefined) throw wrong('say --output, --url or both.');
  for (const path of [output, secretFile]) {
    if (path !== undefined && !isAbsolute(path)) throw wrong(`"${path}" is no absolute path.`);
  }
  if ((url === undefined) !== (secretFile === undefined)) {
    throw wrong('url and secret-file belong together.');
  }
  if (url !== undefined && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
    throw wrong('url must begin with https:// or http://.');
  }
}

async function write(path: string, text: string): Promise<void> {
  const file = await AtomicFile.open(path);
  try {
    await file.write(text);
    await file.commit();
  } finally {
    await file.discard();
  }
}

/** The event's id is that of the job, so a repetition is known as one. */
async function send(order: Order, body: string, { id, clock }: JobContext): Promise<void> {
  const { url = '', 'secret-file': secretFile = '' } = order;
  const secrets = readSecrets(secretFile);
  if ('problem' in secrets) throw wrong(`${secretFile} ${secrets.problem}.`);
  const event = { id: `msg_${createHash('sha256').update(id).digest('hex').slice(0, 32)}`, body };
  const destination = { url, keys: secrets.keys, timeoutMs: LIMITS.webhookTimeoutMsDefault };
  const { isAccepted, text } = await post(event, destination, clock);
  if (!isAccepted) throw new HalfsightError('webhook-failed', `the receiver ${text}.`);
}

function wrong(message: string): HalfsightError {
  const advice = 'See npx halfsight jobs add report --help.';
  return new HalfsightError('usage-invalid', message, { advice });
}
