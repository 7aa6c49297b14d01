import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { brokerContract } from '#test/contract/broker.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('contract');

brokerContract(() => ({
  broker: openKafka(
    { brokers, clientId: 'contract', tls: undefined, sasl: undefined },
    { clock: systemClock, logger: silentLogger },
  ),
  clock: systemClock,
  prefix,
  drive: (work) => work,
}));
