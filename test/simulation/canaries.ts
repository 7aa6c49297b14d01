import type { Journey } from '#producers/camera/journey.ts';
import type { Broker, ConsumerHandlers, Producer, Transactor } from '#runtime/broker.ts';
import { changeTransactor } from './commit-law.ts';
import type { Changes } from './fleet.ts';
import type { Law } from './laws.ts';

/** A mistake that somebody could make, and the laws that must notice it. */
export interface Canary {
  readonly mistake: string;
  readonly changes: Changes;
  readonly breaks: readonly Law[];
}

/** Planted at the borders of the product's code, which has no switches for them. */
export const CANARIES: readonly Canary[] = [
  {
    mistake: 'the position is committed before the results',
    changes: { inferenceBroker: withTransactor(positionFirst) },
    breaks: ['commit'],
  },
  {
    mistake: 'the memory against repeated frames is not committed',
    changes: { inferenceBroker: withTransactor(withoutNote) },
    breaks: ['exactly-once', 'conservation'],
  },
  {
    mistake: 'lanes go on committing after revocation',
    changes: { inferenceBroker: deafToRevocation },
    breaks: ['commit'],
  },
  {
    mistake: 'dropped frames are not counted',
    changes: { journey: uncountedDrops },
    breaks: ['conservation'],
  },
  {
    mistake: 'results are published outside of the transaction',
    changes: { inferenceBroker: resultsOutside },
    breaks: ['exactly-once', 'conservation'],
  },
  {
    mistake: 'the results of a transaction are written in any order',
    changes: { inferenceBroker: withTransactor(backwards) },
    breaks: ['order'],
  },
  {
    mistake: 'a partition that is full is not paused',
    changes: { inferenceBroker: deafToPause },
    breaks: ['bound'],
  },
  {
    mistake: 'lanes of a second generation are never acquired',
    changes: { inferenceBroker: acquiredOnce },
    breaks: ['liveness'],
  },
  {
    mistake: 'the findings of a batch are given to the wrong frames',
    changes: { engineOutput: (output) => ({ ...output, frames: output.frames.toReversed() }) },
    breaks: ['identity'],
  },
  {
    mistake: 'frames lose which heads their camera wants',
    changes: { journey: (journey) => Object.defineProperty(journey, 'heads', { value: null }) },
    breaks: ['identity'],
  },
];

function withTransactor(change: (transactor: Transactor) => Transactor) {
  return (broker: Broker): Broker => ({
    ...broker,
    openTransactor: async (options) => change(await broker.openTransactor(options)),
  });
}

function positionFirst(transactor: Transactor): Transactor {
  return changeTransactor(transactor, {
    commit: async (records, nextOffset, note) => {
      await transactor.commit([], nextOffset, note);
      await transactor.commit(records, nextOffset, note);
    },
  });
}

function withoutNote(transactor: Transactor): Transactor {
  return changeTransactor(transactor, {
    commit: (records, nextOffset) => transactor.commit(records, nextOffset),
  });
}

function backwards(transactor: Transactor): Transactor {
  return changeTransactor(transactor, {
    commit: (records, nextOffset, note) =>
      transactor.commit(records.toReversed(), nextOffset, note),
  });
}

function acquiredOnce(broker: Broker): Broker {
  const acquired = new Set<number>();
  return {
    ...broker,
    openTransactor: async (options) => {
      const transactor = await broker.openTransactor(options);
      if (!acquired.has(options.partition)) {
        acquired.add(options.partition);
        return transactor;
      }
      return changeTransactor(transactor, { acquire: () => new Promise(() => undefined) });
    },
  };
}

function deafToPause(broker: Broker): Broker {
  return {
    ...broker,
    openConsumer: (options) => {
      const consumer = broker.openConsumer(options);
      return {
        start: (handlers) => consumer.start(handlers),
        pause: () => undefined,
        resume: () => undefined,
        stop: () => consumer.stop(),
      };
    },
  };
}

/** The consumer never hears of a revocation, only of the assignment that follows. */
function deafToRevocation(broker: Broker): Broker {
  return {
    ...broker,
    openConsumer: (options) => {
      const consumer = broker.openConsumer(options);
      return {
        start: (handlers) => consumer.start(withoutRevocation(handlers)),
        pause: (topic, partition) => consumer.pause(topic, partition),
        resume: (topic, partition) => consumer.resume(topic, partition),
        stop: () => consumer.stop(),
      };
    },
  };
}

function withoutRevocation(handlers: ConsumerHandlers): ConsumerHandlers {
  return {
    onAssigned: (assignment) => handlers.onAssigned(assignment),
    onRevoked: () => undefined,
    onRecords: (records) => handlers.onRecords(records),
    onFailed: (error) => handlers.onFailed(error),
  };
}

function uncountedDrops(journey: Journey): Journey {
  journey.dropped = () => undefined;
  return journey;
}

function resultsOutside(broker: Broker): Broker {
  let producer: Promise<Producer> | undefined;
  const publishing = (transactor: Transactor) =>
    changeTransactor(transactor, {
      commit: async (records, nextOffset, note) => {
        producer ??= broker.openProducer();
        await (await producer).send(records);
        await transactor.commit([], nextOffset, note);
      },
    });
  return withTransactor(publishing)(broker);
}
