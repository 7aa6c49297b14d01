import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BalanceReport } from '#consumers/subscriber/balance.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { TASKS } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { balanceOf } from '#test/fixtures/balance-of.ts';
import { spawnInference } from '#test/fixtures/inference-child.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { startTopicStack } from '#test/fixtures/topic-stack.ts';
import { judge, type Verdict } from '#test/referee/java.ts';
import { type Holding, holdingOf } from '#test/soak/process-watch.ts';

export interface OutageOptions {
  readonly minutes: number;
  readonly cameraCount: number;
  /** Of each camera. */
  readonly framesPerSecond: number;
  readonly spoolMegabytes: number;
}

export interface OutageReport extends OutageOptions {
  readonly captured: number;
  /** Distinct frames on the frame topic. */
  readonly arrived: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Of the agent, while the broker was away and its warm-up was over. */
  readonly memoryGrowthMiB: number;
  readonly isBalanced: boolean;
  readonly verdict: Verdict;
  readonly isFine: boolean;
}

const PREFIX = 'outage';
const SAMPLE_MS = 5_000;
/** The share of the outage in which the agent's heap finds its size. */
const WARM_UP_SHARE = 0.3;
/** A collector's swing. */
const MEMORY_GROWTH_MAX_MIB = 24;
/** Figures are logged this often; the spool is seen to be empty in them. */
const FIGURES_MS = 10_000;

export async function runOutage(
  options: OutageOptions,
  say: (line: string) => void,
): Promise<OutageReport> {
  const directory = mkdtempSync(join(tmpdir(), 'halfsight-outage-'));
  const table = { prefix: PREFIX, partitionCount: 4 };
  const { stack, topics, broker, stop } = await startTopicStack(table, { redis: false });
  const { brokers } = stack;
  const config = configOf(options, join(directory, 'spool'));
  const agent = new AgentProcess({ config, brokers, prefix: PREFIX });
  const consumer = spawnInference(brokers, PREFIX);
  try {
    const published = () => recordCount(broker, topics.frames.name);
    await agent.until('frames are published', 30_000, async () => (await published()) > 20);
    await stack.kill('kafka', 0, { supervised: false });
    const holdings = await watch(agent.pid, options.minutes, say);
    await stack.restart('kafka', 0);
    const backMs = systemClock.monotonicMs();
    await agent.until('the spool is empty', 600_000, () => {
      const figures = agent.eventsOf('agent-figures').at(-1);
      const isFresh = systemClock.monotonicMs() - backMs > 2 * FIGURES_MS;
      return isFresh && Number(figures?.spoolRecords) === 0;
    });
    await agent.stop();
    await consumerCaughtUp(broker, topics);
    await consumer.stop();
    const results = TASKS.map((task) => topics.results[task].name);
    const { frames, deadLetters } = topics;
    const verdict = await judge(brokers, frames.name, deadLetters.name, results);
    const report = await balanceOf(broker, topics);
    const sums = sumsOf(report);
    const settled = holdings.filter(({ minutes }) => minutes > WARM_UP_SHARE * options.minutes);
    const memoryGrowthMiB = (settled.at(-1)?.memoryMiB ?? 0) - (settled[0]?.memoryMiB ?? 0);
    const total = Object.values(sums.dropped).reduce((a, b) => a + b, sums.arrived);
    return {
      ...options,
      ...sums,
      memoryGrowthMiB: Math.round(memoryGrowthMiB),
      isBalanced: report.balanced,
      verdict,
      isFine:
        verdict.sound &&
        report.balanced &&
        sums.captured === total &&
        memoryGrowthMiB < MEMORY_GROWTH_MAX_MIB,
    };
  } finally {
    await agent.stop('SIGKILL');
    await consumer.kill();
    await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function configOf(options: OutageOptions, directory: string): string {
  const cameras = Array.from({ length: options.cameraCount }, (_, index) => {
    const source = `synthetic:street?seed=${index}&width=320&height=240`;
    return `  - {id: camera-${index}, fps: ${options.framesPerSecond}, source: "${source}"}`;
  });
  return `
agent: {id: agent-a, encoderWorkers: 1}
spool: {directory: ${directory}, megabytes: ${options.spoolMegabytes}}
cameras:
${cameras.join('\n')}
`;
}

async function watch(
  pid: number,
  minutes: number,
  say: (line: string) => void,
): Promise<Holding[]> {
  const startMs = systemClock.monotonicMs();
  const minutesNow = () => (systemClock.monotonicMs() - startMs) / 60_000;
  const holdings: Holding[] = [];
  while (minutesNow() < minutes) {
    await systemClock.sleep(SAMPLE_MS);
    const holding = holdingOf(pid, minutesNow());
    holdings.push(holding);
    const { memoryMiB, files } = holding;
    say(`${holding.minutes.toFixed(1)} min: agent ${memoryMiB.toFixed(0)} MiB, ${files} files`);
  }
  return holdings;
}

/** Transaction markers count as records, so this says "at least". The referee knows better. */
async function consumerCaughtUp(broker: Broker, topics: TopicTable): Promise<void> {
  const frames = await recordCount(broker, topics.frames.name);
  const { segmentation } = topics.results;
  while ((await recordCount(broker, segmentation.name)) < frames) await systemClock.sleep(200);
  await systemClock.sleep(1_000);
}

function sumsOf({ epochs }: BalanceReport) {
  const dropped: Record<string, number> = {};
  let [captured, arrived] = [0, 0];
  for (const epoch of epochs) {
    captured += epoch.captured;
    arrived += epoch.published;
    for (const [reason, count] of Object.entries(epoch.dropped)) {
      dropped[reason] = (dropped[reason] ?? 0) + count;
    }
  }
  return { captured, arrived, dropped };
}
