import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import { UNTRACED } from '#producers/camera/frame-trace.ts';
import { Journey } from '#producers/camera/journey.ts';
import { Publisher } from '#producers/camera/publish.ts';
import { Spool } from '#producers/camera/spool.ts';
import { SpoolStore } from '#producers/camera/spool-store.ts';
import { defined } from '#runtime/assert.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { IMAGE_FACTS } from './journeys.ts';

const EPOCH = 1000;
const AWAY = new HalfsightError('publish-failed', 'the broker is away.');

let directory: string;
const opened: SpoolStore[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'halfsight-spool-'));
});
afterEach(() => {
  for (const store of opened.splice(0)) {
    try {
      store.close();
    } catch {
      // The test has closed it.
    }
  }
  rmSync(directory, { recursive: true });
});

/** An agent on `directory`, whose broker answers as `broker.isAway` says. */
class Agent {
  readonly clock = new ManualClock();
  readonly books = new Map<string, CameraBook>();
  readonly broker = { isAway: false, records: [] as OutgoingRecord[] };
  readonly store: SpoolStore;
  readonly spool: Spool;
  readonly publisher: Publisher;
  readonly #epoch: number;

  constructor(cameraIds: readonly string[], epoch = EPOCH, bytesMax = LIMITS.spoolBytesMin) {
    this.#epoch = epoch;
    for (const id of cameraIds) this.books.set(id, new CameraBook(id));
    this.store = new SpoolStore(directory, bytesMax);
    opened.push(this.store);
    const { clock, books } = this;
    const logger = silentLogger;
    this.spool = new Spool({ store: this.store, bytesMax, books, topic: 'frames', clock, logger });
    this.publisher = new Publisher({
      producer: {
        send: async (records) => {
          await clock.sleep(5);
          if (this.broker.isAway) throw AWAY;
          this.broker.records.push(...records);
        },
      },
      spool: this.spool,
      ownsNow: () => true,
      clock,
      logger,
      random: seededRandom(1),
    });
    this.publisher.start();
  }

  capture(cameraId: string, bytes = 100): void {
    const book = defined(this.books.get(cameraId), cameraId);
    const sequence = book.latest?.counts().captured ?? 0;
    const identity = { cameraId, epoch: this.#epoch, sequence };
    const account = book.captured(identity, 1);
    const facts = { image: IMAGE_FACTS, ratePoint: 0, heads: null, trace: UNTRACED };
    const headers = { 'frame-id': `${this.#epoch}:${sequence}` };
    const value = new Uint8Array(bytes).fill(sequence % 256);
    const record = { topic: 'frames', key: cameraId, value, headers };
    this.publisher.publish(new Journey({ identity, ...facts, account }), record);
  }

  /** What the broker has of a camera. */
  arrived(cameraId: string): string[] {
    const own = this.broker.records.filter(({ key }) => key === cameraId);
    return own.map(({ headers }) => defined(headers['frame-id'], 'the frame id'));
  }

  counts(cameraId: string, epoch = this.#epoch) {
    return defined(this.books.get(cameraId)?.accountOf(epoch), 'the account').counts();
  }

  /** As kill -9: nothing is written any more. */
  kill(): void {
    this.broker.isAway = true;
    this.store.close();
  }
}

const idsTo = (end: number, epoch = EPOCH) =>
  Array.from({ length: end }, (_, sequence) => `${epoch}:${sequence}`);

describe('the spool while the broker is away', () => {
  it('takes what memory held, gives it back in order, and is empty again', async () => {
    const agent = new Agent(['a', 'b']);
    agent.broker.isAway = true;
    for (let round = 0; round < 100; round++) {
      agent.capture('a');
      agent.capture('b');
      await agent.clock.advance(100);
    }
    expect(agent.publisher.report().bytes).toBeLessThan(5_000);
    expect(agent.spool.report().records).toBeGreaterThan(190);
    expect(agent.counts('a')).toMatchObject({ captured: 100, published: 0, inFlight: 100 });
    const { length, ...spooled } = agent.spool.queueState();
    expect(spooled).toMatchObject({ in: length, dropped: 0, bytesMax: LIMITS.spoolBytesMin });
    const memory = agent.publisher.queueState();
    expect(memory.in - memory.length, 'what left memory is on the disk').toBe(length);
    agent.broker.isAway = false;
    for (let round = 0; round < 50; round++) {
      agent.capture('a');
      await agent.clock.advance(100);
    }
    await agent.clock.advance(1_000);
    expect(agent.arrived('a')).toEqual(idsTo(150));
    expect(agent.arrived('b')).toEqual(idsTo(100));
    expect(agent.spool.report()).toMatchObject({ records: 0, bytes: 0, failures: 0 });
    expect(agent.spool.queueState()).toMatchObject({ length: 0, bytes: 0, dropped: 0 });
    expect(agent.counts('a')).toMatchObject({ captured: 150, published: 150, inFlight: 0 });
  });

  it('holds nothing of epochs that were published and told', async () => {
    const agent = new Agent(['a', 'b']);
    agent.spool.start();
    agent.broker.isAway = true;
    for (const camera of ['a', 'b']) agent.capture(camera);
    await agent.clock.advance(2 * LIMITS.spoolAfterMs);
    expect(agent.spool.epochs).toBe(2);
    agent.broker.isAway = false;
    await agent.clock.advance(LIMITS.publishRetryDelayMsMax * 2);
    for (const book of agent.books.values()) {
      book.endEpoch();
      for (const account of book.takeFinal()) {
        book.told(account);
        agent.spool.forget(account);
      }
    }
    await agent.clock.advance(2 * LIMITS.statusIntervalMs);
    expect(agent.spool.epochs).toBe(0);
  });

  it('is not used for what passes within spoolAfterMs', async () => {
    const agent = new Agent(['a']);
    agent.broker.isAway = true;
    agent.capture('a');
    await agent.clock.advance(LIMITS.spoolAfterMs / 2);
    agent.broker.isAway = false;
    await agent.clock.advance(LIMITS.publishRetryDelayMsMax);
    expect(agent.arrived('a')).toEqual(idsTo(1));
    expect(agent.store.counts()).toEqual([]);
  });

  it('drops the oldest when it is full, counts them, and never more than it must', async () => {
    const agent = new Agent(['a']);
    agent.broker.isAway = true;
    const bytes = 100_000;
    for (let index = 0; index < 100; index++) {
      agent.capture('a', bytes);
      await agent.clock.advance(200);
    }
    agent.broker.isAway = false;
    await agent.clock.advance(20_000);
    const { captured, published, dropped, inFlight } = agent.counts('a');
    expect(inFlight).toBe(0);
    expect(dropped).toEqual({ 'spool-full': captured - published });
    expect(agent.spool.queueState()).toMatchObject({ length: 0, dropped: captured - published });
    expect(published).toBe(agent.arrived('a').length);
    // All that fits, and the batch that was on its way, which is the oldest.
    expect(published).toBeGreaterThanOrEqual(Math.floor(LIMITS.spoolBytesMin / (bytes + 256)));
    expect(agent.arrived('a').at(-1)).toBe(`${EPOCH}:99`);
    const sequences = agent.arrived('a').map((id) => Number(id.split(':')[1]));
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  });
});

describe('the next agent on the same folder', () => {
  it('publishes what a killed one had stored, before its own, and closes its books', async () => {
    const killed = new Agent(['a']);
    killed.broker.isAway = true;
    for (let index = 0; index < 40; index++) {
      killed.capture('a');
      await killed.clock.advance(200);
    }
    // Not stored yet: these are lost, and the second of them is not even in the accounts.
    killed.capture('a');
    await killed.clock.advance(LIMITS.spoolLingerMs / 2);
    const { captured } = killed.counts('a');
    killed.kill();

    const next = new Agent(['a'], EPOCH + 1);
    next.capture('a');
    await next.clock.advance(5_000);
    const stored = next.arrived('a').filter((id) => id.startsWith(`${EPOCH}:`));
    expect(stored.length).toBeGreaterThanOrEqual(39);
    expect(next.arrived('a')).toEqual([...idsTo(stored.length), `${EPOCH + 1}:0`]);
    const account = defined(next.books.get('a')?.accountOf(EPOCH), 'the old account');
    expect(account.isFinal).toBe(true);
    expect(account.isInterrupted).toBe(true);
    const counts = account.counts();
    expect(counts.published).toBe(stored.length);
    expect(counts.captured).toBeGreaterThanOrEqual(captured - 1);
    expect(counts.dropped['agent-killed'] ?? 0).toBe(counts.captured - counts.published);
  });

  it('of one that was stopped knows all counts, also when it is killed itself', async () => {
    const stopped = new Agent(['a', 'gone']);
    stopped.broker.isAway = true;
    stopped.capture('a');
    stopped.capture('gone');
    const drained = stopped.publisher.drain();
    await stopped.clock.advance(LIMITS.publishDrainTimeoutMs + 100);
    await drained;
    for (const book of stopped.books.values()) {
      book.endEpoch();
      // Handed out to be told to a broker that is away: still nobody knows.
      book.takeFinal();
    }
    stopped.publisher.close();

    const killed = new Agent(['a'], EPOCH + 1);
    killed.broker.isAway = true;
    await killed.clock.advance(LIMITS.statusIntervalMs * 3);
    killed.kill();

    const next = new Agent(['a'], EPOCH + 2);
    await next.clock.advance(5_000);
    for (const camera of ['a', 'gone']) {
      const account = defined(next.books.get(camera)?.accountOf(EPOCH), camera);
      expect(account.counts()).toEqual({ captured: 1, published: 1, dropped: {}, inFlight: 0 });
      expect(account.isInterrupted).toBe(false);
      next.spool.forget(account);
    }
    expect(next.store.accounts()).toEqual([]);
    // Told, and told about, a camera without configuration is over; a configured one goes on.
    const isOverOnceTold = (cameraId: string) => {
      const book = defined(next.books.get(cameraId), cameraId);
      for (const account of book.takeFinal()) book.told(account);
      book.takeChanged();
      return book.isOver;
    };
    expect(isOverOnceTold('gone')).toBe(true);
    expect(isOverOnceTold('a')).toBe(false);
  });

  it('is refused while the folder is in use, with advice', () => {
    new SpoolStore(join(directory, 'shared'), LIMITS.spoolBytesMin);
    const second = () => new SpoolStore(join(directory, 'shared'), LIMITS.spoolBytesMin);
    expect(second).toThrow(/another agent uses it/);
  });

  it('puts a damaged file aside and begins a new one', () => {
    writeFileSync(join(directory, 'spool.sqlite'), 'this is no database, whatever its name says');
    const agent = new Agent(['a']);
    expect(agent.spool.isEmpty).toBe(true);
  });
});

it('what cannot be read is counted as dropped, and never comes after newer frames', async () => {
  const agent = new Agent(['a']);
  agent.broker.isAway = true;
  for (let index = 0; index < 60; index++) {
    agent.capture('a', 20_000);
    await agent.clock.advance(200);
  }
  agent.store.close();
  agent.broker.isAway = false;
  for (let index = 0; index < 10; index++) {
    agent.capture('a');
    await agent.clock.advance(500);
  }
  const { captured, published, dropped, inFlight } = agent.counts('a');
  expect([captured, inFlight]).toEqual([70, 0]);
  expect(dropped['spool-failed']).toBe(captured - published);
  expect(agent.spool.queueState()).toMatchObject({ length: 0, dropped: captured - published });
  expect(agent.arrived('a').length).toBe(published);
  const sequences = agent.arrived('a').map((id) => Number(id.split(':')[1]));
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  expect(sequences.at(-1)).toBe(69);
  // The new file serves the next outage.
  agent.broker.isAway = true;
  agent.capture('a');
  await agent.clock.advance(LIMITS.spoolAfterMs + LIMITS.publishRetryDelayMsMax);
  expect(agent.spool.report().records).toBe(1);
});

it('without room on the disk, frames wait in memory and nothing stops', async () => {
  const agent = new Agent(['a']);
  agent.broker.isAway = true;
  // The smallest file that SQLite can be held to: what is there already.
  agent.store.limitPages(1);
  for (let index = 0; index < 60; index++) {
    agent.capture('a', 20_000);
    await agent.clock.advance(200);
  }
  expect(agent.spool.report().failures).toBeGreaterThan(0);
  expect(agent.publisher.report().records).toBeGreaterThan(50);
  agent.broker.isAway = false;
  await agent.clock.advance(10_000);
  expect(agent.arrived('a')).toEqual(idsTo(60));
  expect(agent.counts('a')).toMatchObject({ published: 60, inFlight: 0 });
});
