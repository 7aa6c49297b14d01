import { describe, expect, it } from 'vitest';
import { Balance } from '#consumers/subscriber/balance.ts';
import { BalanceFeed, balanceTopics } from '#consumers/subscriber/balance-feed.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { type DeadLetter, encodeDeadLetter } from '#schemas/dead-letter.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult } from '#schemas/result.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { detection } from './results.ts';

const TOPICS = topicTable({ prefix: 'test' });
const FRAMING = singleObjectFraming();
const FRAME_ID = 'gate-1700000000000-7';

function record(topic: string, value: Uint8Array | null, headers = {}): IncomingRecord {
  return { topic, partition: 3, offset: 42, key: 'gate', value, headers, timestampMs: 0 };
}

function letter(changes: Partial<DeadLetter> = {}): Uint8Array {
  const base: DeadLetter = {
    reason: 'record-truncated',
    detail: '',
    frameId: FRAME_ID,
    cameraId: 'gate',
    originTopic: TOPICS.frames.name,
    originPartition: 3,
    originOffset: 42,
    originTimestampMs: 0,
    originKey: null,
    originHeaders: {},
    originValue: null,
    originBytes: 0,
    consumer: 'test',
    failedTimeUs: 0,
    bundleDigest: '00'.repeat(32),
    bundleName: 'test',
    bundleVersion: '1',
    stack: null,
    redrives: 0,
  };
  return encodeDeadLetter({ ...base, ...changes }, FRAMING);
}

function feeding() {
  const balance = new Balance({ heads: ['detection'] });
  return { balance, feed: new BalanceFeed(balance, TOPICS, FRAMING) };
}

const poison = Buffer.from('no frame');

describe('BalanceFeed', () => {
  it('reads every topic of the table on which a frame is accounted for', () => {
    const { deadLetterActions, headShadows, previews } = TOPICS;
    const others = [deadLetterActions.name, headShadows.name, previews.name];
    const all = topicSpecs(TOPICS)
      .map(({ name }) => name)
      .filter((name) => !others.includes(name));
    expect(balanceTopics(TOPICS).sort()).toEqual(all.sort());
  });

  it('a poison record with a frame id in its headers and its dead letter cancel out', async () => {
    const { balance, feed } = feeding();
    const headers = { 'frame-id': Buffer.from(FRAME_ID) };
    const event = await feed.enter(record(TOPICS.frames.name, poison, headers));
    expect(event.kind).toBe('unreadable');
    expect(balance.unanswered()).toBe(1);
    await feed.enter(record(TOPICS.deadLetters.name, letter()));
    expect(balance.unanswered()).toBe(0);
    const [epoch] = balance.report().epochs;
    expect(epoch).toMatchObject({ cameraId: 'gate', published: 1, deadLettered: 1, problems: [] });
  });

  it('a poison record without any name is matched by its place', async () => {
    const { balance, feed } = feeding();
    await feed.enter(record(TOPICS.frames.name, poison));
    expect(balance.report().balanced).toBe(false);
    await feed.enter(record(TOPICS.deadLetters.name, letter({ frameId: null, cameraId: null })));
    expect(balance.report()).toMatchObject({ balanced: true, epochs: [] });
  });

  it('a poison record that was redriven, twice, and read at last', async () => {
    const { balance, feed } = feeding();
    const named = { 'frame-id': Buffer.from(FRAME_ID) };
    const redriven = (times: number) => ({
      ...named,
      'redriven-from': Buffer.from(`3:42 ${times}`),
    });
    const result = detection([], { redrives: 2 });
    for (const [topic, value, headers] of [
      [TOPICS.frames.name, poison, named],
      [TOPICS.deadLetters.name, letter(), {}],
      [TOPICS.frames.name, poison, redriven(1)],
      [TOPICS.deadLetters.name, letter({ redrives: 1 }), {}],
      [TOPICS.frames.name, poison, redriven(2)],
      [TOPICS.results.detection.name, encodeResult(result, FRAMING), {}],
    ] as const) {
      await feed.enter(record(topic, value, headers));
    }
    const [epoch] = balance.report().epochs;
    expect(epoch).toMatchObject({ published: 1, republished: 0, deadLettered: 0, redriven: 1 });
    expect(epoch).toMatchObject({ heads: [{ results: 1, outOfOrder: 0 }], problems: [] });
  });

  it('dead letters of other stages are none of its business', async () => {
    const { balance, feed } = feeding();
    await feed.enter(record(TOPICS.deadLetters.name, letter({ originTopic: 'elsewhere' })));
    expect(balance.report().epochs).toEqual([]);
  });

  it('a result that cannot be decoded is counted for no frame', async () => {
    const { balance, feed } = feeding();
    await feed.enter(record(TOPICS.results.detection.name, poison));
    expect(balance.report()).toMatchObject({ undecodable: 1, balanced: false, epochs: [] });
  });

  it('hands on what a result says', async () => {
    const { feed } = feeding();
    const result = detection([['person', 0.5]]);
    const value = encodeResult(result, FRAMING);
    const event = await feed.enter(record(TOPICS.results.detection.name, value));
    expect(event).toEqual({ kind: 'result', result });
  });

  it('does not blame the record when the schema registry is away', async () => {
    const away = new HalfsightError('schema-registry-unavailable', 'away');
    const balance = new Balance();
    const learn = () => Promise.reject(away);
    const feed = new BalanceFeed(balance, TOPICS, { ...FRAMING, learn });
    await expect(feed.enter(record(TOPICS.frames.name, poison))).rejects.toBe(away);
    expect(balance.report().balanced).toBe(true);
  });
});
