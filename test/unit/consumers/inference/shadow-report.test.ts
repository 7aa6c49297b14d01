import { expect, it } from 'vitest';
import { runShadowReport } from '#consumers/inference/shadow-report.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodeHeadShadow, type HeadShadow, headShadowKey } from '#schemas/head-shadow.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { ToldLog } from '#test/fixtures/told-log.ts';
import { HEAD_SHADOW } from '#test/unit/schemas/samples.ts';
import { settled } from './fakes.ts';

const framing = singleObjectFraming();
const topics = topicTable();

function setUp() {
  const clock = new ManualClock();
  const log = new ToldLog();
  const sent: OutgoingRecord[] = [];
  const state = { isAway: false, isClosed: false, untold: [] as HeadShadow[] };
  const book = {
    untold: () => state.untold,
    told: (figures: readonly HeadShadow[]) => {
      state.untold = state.untold.filter((one) => !figures.includes(one));
    },
  };
  const producer = {
    send: async (records: readonly OutgoingRecord[]) => {
      if (state.isAway) throw new HalfsightError('publish-failed', 'the broker is away');
      sent.push(...records);
    },
    close: async () => {
      state.isClosed = true;
    },
  };
  const broker = { openProducer: async () => producer };
  const stopping = new AbortController();
  const options = { book, broker, topics, framing, clock, logger: log };
  const running = runShadowReport(options, stopping.signal);
  return { clock, log, sent, state, stopping, running };
}

it('figures are published at intervals, under a key of their own', async () => {
  const { clock, log, sent, state } = setUp();
  await clock.advance(LIMITS.shadowReportIntervalMs);
  expect(sent).toEqual([]);
  state.untold = [
    { ...HEAD_SHADOW, frames: 4, sums: { live_boxes: 3, shadow_boxes: 3, matched: 2 } },
  ];
  await clock.advance(LIMITS.shadowReportIntervalMs);
  await clock.advance(LIMITS.shadowReportIntervalMs);
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({
    topic: topics.headShadows.name,
    key: headShadowKey(HEAD_SHADOW),
  });
  expect(decodeHeadShadow(sent[0]?.value ?? null, framing)).toMatchObject({ frames: 4 });
  expect(log.lines).toMatchObject([
    { event: 'head-shadow', task: 'detection', live: '1', shadow: '2', frames: 4, recall: 0.667 },
  ]);
});

it('what a broker did not take is published later', async () => {
  const { clock, log, sent, state } = setUp();
  state.untold = [HEAD_SHADOW];
  state.isAway = true;
  await clock.advance(LIMITS.shadowReportIntervalMs);
  expect(log.events()).toEqual(['shadow-report-failed']);
  state.isAway = false;
  await clock.advance(LIMITS.shadowReportIntervalMs);
  expect(sent).toHaveLength(1);
});

it('the last figures are published before the end', async () => {
  const { clock, sent, state, stopping, running } = setUp();
  await settled();
  state.untold = [HEAD_SHADOW];
  stopping.abort();
  await running;
  expect(sent).toHaveLength(1);
  expect(state.isClosed).toBe(true);
  expect(clock.timerCount).toBe(0);
});
