import { expect, it } from 'vitest';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { Cluster } from './cluster.ts';
import type { Holder } from './transaction-coordinator.ts';

/**
 * What of transactions the contract cannot see through the port, because it happens between two of
 * its calls.
 */
function setUp() {
  const clock = new VirtualClock();
  const cluster = new Cluster(clock, seededRandom(3));
  cluster.ensureTopic({ name: 'out', partitionCount: 1, replicationFactor: 1, settings: {} });
  const log = cluster.partition('out', 0);
  const record = (text: string) => {
    return { key: 'gate', value: Buffer.from(text), headers: {}, timestampMs: 0 };
  };
  const position = { groupId: 'group', topic: 'in', partition: 0, offset: 7, note: 'note' };
  const { transactions } = cluster;
  const begin = (holder: Holder, text: string) => {
    expect(transactions.begin(holder, position)).toBe('begun');
    transactions.write(holder, log, [record(text)]);
  };
  const init = (id: string) => transactions.init(id) as Holder;
  const seen = (isCommitted: boolean) =>
    log.read(0, 100, isCommitted).records.map(({ value }) => Buffer.from(value ?? []).toString());
  const moved = () => cluster.positions.get('group', 'in', 0)?.offset;
  return { clock, log, transactions, record, begin, init, seen, moved };
}

it('what lies behind an open transaction is hidden until its marker is there', async () => {
  const { clock, log, transactions, record, begin, init, seen, moved } = setUp();
  log.append([record('before')]);
  const holder = init('one');
  begin(holder, 'open');
  log.append([record('behind')]);
  expect(seen(true)).toEqual(['before']);
  expect(seen(false)).toEqual(['before', 'open', 'behind']);
  transactions.end(holder, true);
  expect(transactions.init('one')).toBe('not-yet');
  expect(moved()).toBeUndefined();
  await clock.run(100);
  expect(seen(true)).toEqual(['before', 'open', 'behind']);
  expect(moved()).toBe(7);
  expect(log.high, 'a marker takes an offset').toBe(4);
});

it('a transaction that nobody ends is aborted, and its holder fenced', async () => {
  const { clock, transactions, begin, init, seen, moved } = setUp();
  const holder = init('one');
  begin(holder, 'lost');
  await clock.run(LIMITS.transactionTimeoutMs - 1);
  expect(seen(false)).toEqual(['lost']);
  await clock.run(LIMITS.transactionTimeoutMs + 100);
  expect(seen(true)).toEqual([]);
  expect(moved()).toBeUndefined();
  let error: unknown;
  try {
    transactions.end(holder, true);
  } catch (caught) {
    error = caught;
  }
  expect(codeOf(error)).toBe('broker-fenced');
});

it('a new holder aborts what the one before has left open, and waits for its markers', async () => {
  const { clock, transactions, begin, init, seen } = setUp();
  begin(init('one'), 'left');
  expect(transactions.init('one')).toBe('not-yet');
  await clock.run(100);
  const successor = init('one');
  begin(successor, 'right');
  transactions.end(successor, true);
  await clock.run(200);
  expect(seen(true)).toEqual(['right']);
});
