import { LIMITS } from '#runtime/limits.ts';

/** One more way for clients to reach a broker, beside the plain one that brokers use too. */
export interface ExtraListener {
  /** As Kafka's properties name it, in capitals. */
  readonly name: string;
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_SSL';
  readonly port: number;
  /** What clients of this listener are told to connect to; default: `port`. */
  readonly advertisedPort?: number;
}

export interface BrokerNode {
  readonly id: number;
  readonly brokerPort: number;
  readonly controllerPort: number;
  readonly extraListeners?: readonly ExtraListener[];
}

export type KafkaProperties = Readonly<Record<string, string | number | boolean>>;

/**
 * The text of one node's server.properties; every node is broker and controller at once.
 * `additions` are what the extra listeners need.
 */
export function kafkaProperties(
  node: BrokerNode,
  cluster: readonly BrokerNode[],
  dataDirectory: string,
  additions: KafkaProperties = {},
): string {
  const replicas = cluster.length;
  const inSyncMin = replicas === 1 ? 1 : 2;
  const voters = cluster.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`);
  const broker = `PLAINTEXT://127.0.0.1:${node.brokerPort}`;
  const controller = `CONTROLLER://127.0.0.1:${node.controllerPort}`;
  const extra = node.extraListeners ?? [];
  const listening = extra.map(({ name, port }) => `${name}://127.0.0.1:${port}`);
  const advertised = extra.map(
    ({ name, port, advertisedPort = port }) => `${name}://127.0.0.1:${advertisedPort}`,
  );
  const protocols = extra.map(({ name, protocol }) => `${name}:${protocol}`);
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': voters.join(','),
    listeners: [broker, controller, ...listening].join(','),
    'advertised.listeners': [broker, ...advertised].join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': [
      ...['CONTROLLER:PLAINTEXT', 'PLAINTEXT:PLAINTEXT'],
      ...protocols,
    ].join(','),
    'log.dirs': dataDirectory,

    // A topic that nobody declared is a mistake, and must show as one.
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSyncMin,
    'message.max.bytes': LIMITS.messageBytesMax,
    'replica.fetch.max.bytes': LIMITS.messageBytesMax,

    // Kafka's own topics: by default 50 partitions each, which is most of a small broker's start.
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSyncMin,
    'share.coordinator.state.topic.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSyncMin,

    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    // After kill -9 the new process waits for the old one's registration to lapse: 13 s by default.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
  };
  if (replicas > 1) {
    properties['replica.lag.time.max.ms'] = 5000;
    properties['leader.imbalance.check.interval.seconds'] = 5;
  }
  return `${Object.entries({ ...properties, ...additions })
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}
