import { describe, expect, it } from 'vitest';
import { deadLetterOutcome } from '#consumers/inference/dead-letter.ts';
import { Delivery } from '#consumers/inference/delivery.ts';
import type { Bundle } from '#models/bundle.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { noTracer } from '#runtime/trace.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { FRAME_TOPIC, record } from './fakes.ts';

const framing = singleObjectFraming();
const bundle = {
  digest: 'ab'.repeat(32),
  manifest: { name: 'tiny', version: '1.2.3' } as Bundle['manifest'],
};
const truncated = new HalfsightError('record-truncated', 'it ends too early.', {
  advice: 'Send all of it.',
});

function bury(changes: Partial<IncomingRecord>, error: unknown = truncated) {
  const delivery = new Delivery(record(42, changes), 0, () => undefined);
  const outcome = deadLetterOutcome(delivery, error, {
    topic: 'dead',
    framing,
    consumer: 'group-1',
    bundle,
    nowUs: () => 1_700_000_000_000_001,
    tracer: noTracer,
  });
  const [out] = outcome.records;
  return { outcome, out, letter: decodeDeadLetter(out?.value ?? null, framing) };
}

describe('a dead letter', () => {
  it('says why, whence and what', () => {
    const value = Uint8Array.of(1, 2, 3);
    const headers = {
      'frame-id': Buffer.from('cam-1-1700000000000-7'),
      extra: Uint8Array.of(0xff, 0xfe),
    };
    const { outcome, out, letter } = bury({ value, headers, partition: 3 });
    expect(outcome.counters).toEqual(['dead-letter-record-truncated']);
    expect(out).toMatchObject({
      topic: 'dead',
      key: 'cam-1',
      headers: { 'frame-id': 'cam-1-1700000000000-7' },
    });
    expect(letter).toMatchObject({
      reason: 'record-truncated',
      detail: 'record-truncated: it ends too early. Send all of it.',
      frameId: 'cam-1-1700000000000-7',
      cameraId: 'cam-1',
      originTopic: FRAME_TOPIC,
      originPartition: 3,
      originOffset: 42,
      originTimestampMs: 1_700_000_000_000,
      originBytes: 3,
      consumer: 'group-1',
      failedTimeUs: 1_700_000_000_000_001,
      bundleDigest: 'ab'.repeat(32),
      bundleName: 'tiny',
      bundleVersion: '1.2.3',
      stack: null,
      redrives: 0,
    });
    expect([...(letter.originValue ?? [])]).toEqual([1, 2, 3]);
    expect([...(letter.originHeaders.extra ?? [])]).toEqual([0xff, 0xfe]);
    expect(Buffer.from(letter.originKey ?? []).toString()).toBe('cam-1');
  });

  it('cuts a record that is too large, and tells its true length', () => {
    const value = new Uint8Array(LIMITS.deadLetterOriginalBytesMax + 1000).fill(7);
    const { out, letter } = bury({ value });
    expect(letter.originValue).toHaveLength(LIMITS.deadLetterOriginalBytesMax);
    expect(letter.originBytes).toBe(value.length);
    expect(out?.value.length).toBeLessThan(LIMITS.transactionBytesPerTopicMax);
  });

  it('fits whatever headers a stranger sends', () => {
    const value = new Uint8Array(LIMITS.deadLetterOriginalBytesMax);
    const headers = { small: Uint8Array.of(1), huge: new Uint8Array(400 * 1024) };
    const { out, letter } = bury({ value, headers });
    expect(Object.keys(letter.originHeaders)).toEqual(['small']);
    expect(out?.value.length).toBeLessThan(LIMITS.transactionBytesPerTopicMax);
  });

  it('of a tombstone without a key or a frame id', () => {
    const { out, letter } = bury({ value: null, key: null });
    expect(letter).toMatchObject({ frameId: null, cameraId: null, originKey: null });
    expect(letter).toMatchObject({ originValue: null, originBytes: 0 });
    expect(out?.key).toBe('unknown');
  });

  it('ignores a frame id that is none', () => {
    const { letter } = bury({ headers: { 'frame-id': Buffer.from('nonsense') } });
    expect(letter.frameId).toBeNull();
  });

  it('takes a mistake of ours for a malformed record', () => {
    const error = new TypeError('x is not a function');
    expect(bury({}, error).letter).toMatchObject({
      reason: 'record-malformed',
      detail: 'TypeError: x is not a function',
      stack: error.stack,
    });
  });

  it('cuts a stack that is too long', () => {
    const error = Object.assign(new TypeError('x'), { stack: '\u4eba'.repeat(100_000) });
    const value = new Uint8Array(LIMITS.deadLetterOriginalBytesMax);
    const headers = { large: new Uint8Array(LIMITS.deadLetterHeadersBytesMax - 10) };
    const { out, letter } = bury({ value, headers }, error);
    expect(letter.stack).toHaveLength(LIMITS.deadLetterStackLengthMax);
    expect(out?.value.length).toBeLessThan(LIMITS.deadLetterOriginalBytesMax + 64 * 1024);
  });

  it('says how often its frame was redriven before', () => {
    const headers = { 'redriven-from': Buffer.from('3:1234 2') };
    expect(bury({ headers }).letter.redrives).toBe(2);
  });
});
