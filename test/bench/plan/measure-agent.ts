import { systemClock } from '#runtime/clock.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { frameBill } from '../agent/frame-bill.ts';
import { AGENT_WARM_SECONDS, BenchAgent } from '../instruments/agent.ts';
import type { AgentSettings } from '../instruments/agent-protocol.ts';
import { createTopics, openBroker } from '../instruments/bench-topics.ts';
import { SHIPPED_BUNDLE } from '../instruments/frame-maker.ts';
import type { Bench } from './measure-consumer.ts';
import { processorUs } from './process-cost.ts';
import { topicBytes } from './topic-bytes.ts';

const SECONDS = 10;
export const AGENT_PARTITIONS = 8;

export interface AgentCase {
  readonly name: string;
  readonly cameraCount: number;
  readonly framesPerSecond: number;
  readonly encoder: AgentSettings['encoder'];
}

export interface AgentMeasured {
  /** That were published. */
  readonly framesPerSecond: number;
  /** Processor time a frame, without the thread of the sources. */
  readonly mainUs: number;
  readonly allUs: number;
  readonly residentMib: number;
  readonly brokerUs: number;
  readonly frameBytes: number;
  /** Of the status topic, a record, in batches of all cameras over the partitions. */
  readonly statusBytes: number;
}

export async function measureAgent(
  bench: Bench,
  { cameraCount, framesPerSecond, encoder }: AgentCase,
  { prefix, pictures }: { readonly prefix: string; readonly pictures: readonly Uint8Array[] },
): Promise<AgentMeasured> {
  const { brokers } = bench;
  const broker = openBroker(brokers);
  const topics = await createTopics(broker, prefix, AGENT_PARTITIONS);
  const agent = new BenchAgent({
    ...{ brokers, prefix, cameraCount, framesPerSecond, encoder, pictures },
    ...{ bundleDirectory: SHIPPED_BUNDLE, encoderWorkers: 1 },
  });
  await agent.start();
  await systemClock.sleep(AGENT_WARM_SECONDS * 1000);
  const before = await agent.figures();
  const brokerBefore = processorUs(bench.brokerPid);
  await systemClock.sleep(SECONDS * 1000);
  const after = await agent.figures();
  const brokerUs = processorUs(bench.brokerPid) - brokerBefore;
  const { published } = await agent.stop();
  const statuses = await recordCount(broker, topics.status.name);
  await broker.close();
  const bytes = topicBytes(bench.brokerDirectory);
  const bill = frameBill(before, after);
  return {
    framesPerSecond: bill.framesPerSecond,
    mainUs: bill.mainUs,
    allUs: bill.processUs,
    residentMib: after.holding.residentBytes / 1024 ** 2,
    brokerUs: brokerUs / (after.published - before.published),
    frameBytes: (bytes.get(topics.frames.name) ?? 0) / published,
    statusBytes: (bytes.get(topics.status.name) ?? 0) / statuses,
  };
}
