import { choosePorts } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { TASKS } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { spawnInference } from '#test/fixtures/inference-child.ts';
import { type Network, NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { until } from '#test/fixtures/until.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { BenchAgent } from '../instruments/agent.ts';
import { createTopics, openBroker } from '../instruments/bench-topics.ts';
import { SHIPPED_BUNDLE } from '../instruments/frame-maker.ts';
import { Arrivals } from './arrivals.ts';
import type { Contender, Contenders } from './contenders.ts';
import { KafkaTraffic } from './kafka-traffic.ts';

const READY_TIMEOUT_MS = 60_000;

/** Cameras of all contenders, the line between them and the broker, and who reads behind it. */
export interface Site {
  readonly arrivals: Arrivals;
  readonly traffic: KafkaTraffic;
  tableOf(contender: Contender): TopicTable;
  /** From now on; the line is good when cameras start. */
  lineBecomes(network: Partial<Network>): void;
  /**
   * A camera of each at so many frames a second, side by side: the proxy gives each connection all
   * of the line's rate, and an agent that publishes uses one. What disturbs this machine disturbs
   * all of them.
   */
  withCameras<T>(rates: ReadonlyMap<Contender, number>, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What `own` sends is analysed; records of the others are read, and no more. */
export async function openSite(
  { own, others, greedy }: Contenders,
  pictures: readonly Uint8Array[],
): Promise<Site> {
  const [port = 0] = await choosePorts(1, [], seededRandom(freshSeed()));
  const stack = await startTestStack({ redis: false, advertisedPorts: [port] });
  const traffic = new KafkaTraffic();
  const behind = defined(stack.proxied[0], 'the listener behind the proxy');
  const proxy = new NetworkProxy(Number(behind.split(':')[1]), () => traffic.lookOn());
  await proxy.listen(port);
  const broker = openBroker(stack.brokers);
  const tables = new Map<Contender, TopicTable>();
  for (const one of [own, ...others, greedy])
    tables.set(one, await createTopics(broker, one.prefix, 1));
  const tableOf = (contender: Contender) => defined(tables.get(contender), 'its topics');
  const arrivals = new Arrivals({
    ...{ broker, framing: singleObjectFraming(), tables: [...tables.values()] },
    analysed: tableOf(own),
    task: defined(TASKS.at(-1), 'the last head'),
  });
  await arrivals.start();
  const consumer = spawnInference(stack.brokers, own.prefix, { HALFSIGHT_BUNDLE: SHIPPED_BUNDLE });
  await until(
    () => consumer.output().includes('consumer-started'),
    READY_TIMEOUT_MS,
    'the consumer',
  );

  const openAgent = ({ prefix, encoder }: Contender, framesPerSecond: number) =>
    new BenchAgent({
      ...{ brokers: [`127.0.0.1:${port}`], prefix, bundleDirectory: SHIPPED_BUNDLE },
      ...{ encoder, pictures, framesPerSecond, cameraCount: 1, encoderWorkers: 1 },
    });
  return {
    arrivals,
    traffic,
    tableOf,
    lineBecomes: (network) => proxy.become(network),
    async withCameras(rates, work) {
      proxy.become({});
      arrivals.begin();
      const agents = [...rates].map(([one, rate]) => ({ one, agent: openAgent(one, rate) }));
      try {
        await Promise.all(agents.map(({ agent }) => agent.start()));
        const isSeen = (one: Contender) => arrivals.frames(tableOf(one)).length > 0;
        await until(
          () => [...rates.keys()].every(isSeen),
          READY_TIMEOUT_MS,
          'a frame of each contender',
        );
        await until(() => arrivals.results().length > 0, READY_TIMEOUT_MS, 'the first result');
        return await work();
      } finally {
        proxy.become({});
        // A process that exits while its encoder thread is in native code aborts.
        const end = ({ one, agent }: (typeof agents)[number]) =>
          one.encoder === 'onnx' ? agent.stop() : agent.end();
        await Promise.all(agents.map(end));
      }
    },
    async close() {
      await consumer.kill();
      await broker.close();
      await proxy.close();
      await stack.stop();
    },
  };
}
