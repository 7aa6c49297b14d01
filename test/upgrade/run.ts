import { join } from 'node:path';
import type { EpochBalance } from '#consumers/subscriber/epoch-ledger.ts';
import { readBalance } from '#consumers/subscriber/read-balance.ts';
import { registerSchemas } from '#infra/topics/register.ts';
import { systemClock } from '#runtime/clock.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS } from '#schemas/result.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { SchemaRegistryFixture } from '#test/fixtures/schema-registry.ts';
import { startTopicStack, type TopicStack } from '#test/fixtures/topic-stack.ts';
import { type Checkout, checkOut } from './checkout.ts';
import { redrive, type Side, type SideProcess, startAgent, startConsumer } from './side.ts';

export interface UpgradeOptions {
  readonly from: string;
  readonly seconds: number;
  readonly framesPerSecond: number;
}

interface Meeting {
  readonly agent: 'old' | 'new';
  readonly consumer: 'old' | 'new';
  readonly registry: boolean;
}

export interface MeetingReport extends Meeting {
  readonly captured: number;
  readonly published: number;
  readonly results: number;
  readonly deadLetters: number;
  /** Put back when consumers of the new version had taken over. */
  readonly redriven: number;
  readonly isBalanced: boolean;
}

export interface UpgradeReport {
  readonly from: string;
  readonly meetings: readonly MeetingReport[];
  readonly isFine: boolean;
}

const ROOT = join(import.meta.dirname, '..', '..');
const WAIT_MS_MAX = 120_000;
/** Nothing more came for so long. */
const QUIET_MS = 8_000;

const MEETINGS: readonly Meeting[] = [
  { agent: 'old', consumer: 'new', registry: false },
  { agent: 'new', consumer: 'old', registry: false },
  { agent: 'old', consumer: 'new', registry: true },
  { agent: 'new', consumer: 'old', registry: true },
];

/** Old and new agents and consumers together, on topics of their own; dead letters are redriven. */
export async function runUpgrade(
  options: UpgradeOptions,
  say: (line: string) => void,
): Promise<UpgradeReport> {
  const old = checkOut(options.from);
  try {
    const meetings: MeetingReport[] = [];
    for (const meeting of MEETINGS) {
      const report = await meet(meeting, options, old);
      say(JSON.stringify(report));
      meetings.push(report);
    }
    return { from: old.commit, meetings, isFine: meetings.every(isFine) };
  } finally {
    old.remove();
  }
}

/** With a registry an old consumer reads what a new agent writes. */
function isFine({
  isBalanced,
  published,
  deadLetters,
  redriven,
  registry,
  ...sides
}: MeetingReport) {
  const mayRefuse = sides.consumer === 'old' && !registry;
  return isBalanced && published > 0 && deadLetters === redriven && (mayRefuse || redriven === 0);
}

async function meet(
  meeting: Meeting,
  { seconds, framesPerSecond }: UpgradeOptions,
  old: Checkout,
): Promise<MeetingReport> {
  const prefix = `upgrade-${meeting.agent}-${meeting.consumer}`;
  const stack = await startTopicStack({ prefix, partitionCount: 2 }, { redis: false });
  const registry = new SchemaRegistryFixture();
  const running: SideProcess[] = [];
  try {
    const registryUrl = meeting.registry ? await registry.start() : undefined;
    if (registryUrl !== undefined) {
      await registerSchemas(connectSchemaRegistry({ url: registryUrl }), stack.topics);
    }
    const side = (version: 'old' | 'new'): Side => ({
      root: version === 'old' ? old.root : ROOT,
      // That of the old version: an upgrade of the program leaves the cameras' bundle as it is.
      bundle: join(old.root, 'test', 'golden', 'tiny-bundle'),
      ...{ brokers: stack.stack.brokers, prefix, registryUrl },
    });
    const consumer = startConsumer(side(meeting.consumer));
    const agent = startAgent(side(meeting.agent), framesPerSecond);
    running.push(consumer, agent);
    await waitFor(async () => (await recordCount(stack.broker, stack.topics.frames.name)) > 0);
    await systemClock.sleep(seconds * 1000);
    await agent.stop();
    await settled(stack);
    await consumer.stop();
    const before = await balance(stack, registryUrl);
    const deadLetters = before.deadLetters;
    if (deadLetters > 0) {
      const successor = startConsumer(side('new'));
      running.push(successor);
      await redrive(side('new'));
      await settled(stack);
      await successor.stop();
    }
    const after = await balance(stack, registryUrl);
    return { ...meeting, ...after, deadLetters, redriven: deadLetters - after.deadLetters };
  } finally {
    for (const process of running) process.kill();
    await registry.stop();
    await stack.stop();
  }
}

async function settled({ broker, topics }: TopicStack): Promise<void> {
  // Every frame has a result of each head, or a dead letter; markers of transactions count as well.
  const ends = async () => {
    const names = [...TASKS.map((task) => topics.results[task].name), topics.deadLetters.name];
    return await Promise.all(names.map((name) => recordCount(broker, name)));
  };
  const startMs = systemClock.monotonicMs();
  let [last, sinceMs] = [await ends(), startMs];
  while (systemClock.monotonicMs() - sinceMs < QUIET_MS) {
    if (systemClock.monotonicMs() - startMs > WAIT_MS_MAX) throw new Error('results never end');
    await systemClock.sleep(250);
    const now = await ends();
    if (now.join() !== last.join()) [last, sinceMs] = [now, systemClock.monotonicMs()];
  }
}

async function balance({ broker, topics }: TopicStack, registryUrl: string | undefined) {
  const registry = registryUrl === undefined ? undefined : { url: registryUrl };
  const framing = await openFraming(registry, topics);
  const stopping = new AbortController().signal;
  const report = await readBalance({ broker, topics, framing, clock: systemClock, stopping });
  const sum = (of: (epoch: EpochBalance) => number) =>
    report.epochs.reduce((total, epoch) => total + of(epoch), 0);
  return {
    captured: sum(({ captured }) => captured),
    published: sum(({ published }) => published),
    results: sum(({ heads }) => Math.min(...heads.map(({ results }) => results))),
    deadLetters: sum(({ deadLettered }) => deadLettered) + report.unnamed.deadLettered,
    isBalanced: report.balanced,
  };
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const endMs = systemClock.monotonicMs() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (systemClock.monotonicMs() > endMs) throw new Error('no frame was published');
    await systemClock.sleep(250);
  }
}
