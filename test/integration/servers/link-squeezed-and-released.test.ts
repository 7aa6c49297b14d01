import { expect, it } from 'vitest';
import { loadBundle } from '#models/bundle.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { decodeFrame } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { type TopicTable, topicSpecs, topicTable } from '#schemas/topics.ts';
import { RecordWatch } from '#test/bench/instruments/record-watch.ts';
import { checkBooks, readStatuses } from '#test/integration/camera-agent-process.ts';
import { useProxiedLine } from './proxied-line.ts';

/** Rate control on a real line: 1 Mbit/s, 37.5 kbit/s for a while, and 1 Mbit/s again. */

const WIDE = { bytesPerSecond: 125_000, delayMs: 5 };
const THIN = { bytesPerSecond: 4_687, delayMs: 5 };
const FPS = 5;
const BUNDLE = readEnvironment({}).bundleDirectory;
/** The rate point that it is wanted at, and the coarsest one. */
const [STANDARD, TINY] = [1, 3];
const SQUEEZED_MS = 14_000;
/** Within which the line carries a frame that was coded for it. */
const ADAPTED_MS = 10_000;

interface Arrival {
  readonly atMs: number;
  readonly ageMs: number;
  readonly bytes: number;
  readonly ratePoint: number;
}

const line = useProxiedLine();

/** Frames as they come to a reader that has a good line. */
async function watchFrames(broker: Broker, topics: TopicTable): Promise<readonly Arrival[]> {
  const arrivals: Arrival[] = [];
  const framing = singleObjectFraming();
  const watch = new RecordWatch({
    ...{ broker, groupId: 'onlooker', topics: [topics.frames.name] },
    onRecord: ({ value }, receivedUs) => {
      const { captureTimeUs, ratePoint } = decodeFrame(value, framing);
      const ageMs = (receivedUs - captureTimeUs) / 1_000;
      const bytes = value?.length ?? 0;
      arrivals.push({ atMs: systemClock.monotonicMs(), ageMs, bytes, ratePoint });
    },
  });
  await watch.start();
  return arrivals;
}

it('a camera gives way to a thin line, goes on publishing, and comes back with it', async () => {
  const { broker, proxy, startAgent } = line();
  proxy.become(WIDE);
  const topics = topicTable({ prefix: 'squeezed', partitionCount: 1 });
  await broker.ensureTopics(topicSpecs(topics));
  const arrivals = await watchFrames(broker, topics);
  const config = `
agent: {id: agent-a, encoderWorkers: 1}
cameras:
  - {id: street, source: "synthetic:street?seed=1&width=416&height=416", fps: ${FPS}}
`;
  const agent = startAgent({ config, prefix: 'squeezed', bundle: BUNDLE });
  await agent.until('frames come', 30_000, () => arrivals.length >= 3 * FPS);
  const changes = () => agent.eventsOf('profile-changed');
  expect(changes(), 'the line carries all of it').toEqual([]);

  const thinMs = systemClock.monotonicMs();
  proxy.become(THIN);
  await agent.until('it gives way', 20_000, () => changes().length > 0);
  await systemClock.sleep(thinMs + SQUEEZED_MS - systemClock.monotonicMs());
  const wideMs = systemClock.monotonicMs();
  proxy.become(WIDE);
  await agent.until('it is back', 40_000, () => changes().at(-1)?.to === `standard ${FPS}/s`);
  const back = arrivals.length;
  await agent.until('frames come as before', 20_000, () => arrivals.length >= back + 2 * FPS);
  expect(await agent.stop()).toBe(0);

  const squeezed = arrivals.filter(({ atMs }) => atMs >= thinMs && atMs < wideMs);
  const first = squeezed.findIndex(({ ratePoint }) => ratePoint === TINY);
  const fromMs = squeezed[first]?.atMs ?? wideMs;
  expect(fromMs - thinMs, 'it gives way in time').toBeLessThan(ADAPTED_MS);
  const adapted = squeezed.slice(first + 1);
  expect(adapted.length, 'frames come all the time').toBeGreaterThan(3);
  expect(new Set(adapted.map(({ ratePoint }) => ratePoint))).toEqual(new Set([TINY]));
  const bytes = adapted.reduce((sum, one) => sum + one.bytes, 0);
  // A second of it may have waited to be read here.
  expect((bytes * 1_000) / (wideMs - fromMs + 1_000)).toBeLessThan(THIN.bytesPerSecond);
  expect(Math.max(...arrivals.map(({ ageMs }) => ageMs))).toBeLessThan(SQUEEZED_MS);
  expect(arrivals.at(-1)?.ratePoint).toBe(STANDARD);
  // Down; up while the line is thin, as far as it lets, and down where it does not; up again.
  expect(changes().length).toBeLessThanOrEqual(8);

  const books = await checkBooks(broker, topics, await loadBundle(BUNDLE));
  const [street] = [...books.values()];
  expect(street?.final.dropped['rate-limited']).toBeGreaterThan(0);
  expect(street?.final.profileChanges).toBe(changes().length);
  const statuses = await readStatuses(broker, topics);
  const limits = statuses.map(({ framesPerSecondLimit }) => framesPerSecondLimit ?? 0);
  expect(Math.min(...limits)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...limits)).toBe(FPS);
});
