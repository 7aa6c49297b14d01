import { describe, expect, it } from 'vitest';
import type { Row } from '#infra/evaluate/evaluate.ts';
import { equalAccuraciesOf, ratioOf } from '#test/bench/link/equal-accuracy.ts';
import { freshnessOf } from '#test/bench/link/freshness.ts';
import { KafkaTraffic, trafficBetween } from '#test/bench/link/kafka-traffic.ts';
import { payloadPerSecond, rateOf, wireOf } from '#test/bench/link/wire.ts';

describe('equalAccuraciesOf', () => {
  const row = (method: string, bytes: number, mAP50: number) =>
    ({
      ...{ method, setting: `${bytes} bytes`, recordBytes: { mean: bytes, median: bytes } },
      ...{ mAP50, top1Agreement: null, mIoU: null },
    }) as Row;
  const rows = [
    row('ours', 1000, 0.4),
    row('between', 1000, 0.3),
    row('between', 4000, 0.5),
    row('better', 700, 0.45),
    row('better', 900, 0.5),
    row('worse', 500, 0.1),
    row('worse', 9000, 0.3),
  ];
  const [equal] = equalAccuraciesOf(rows, 'ours');
  if (equal === undefined) throw new Error('a bundle that is in the report was not found');

  it('goes with the logarithm of the bytes between two settings', () => {
    expect(equal.opponents.get('between')).toEqual({ bytes: 2000, is: 'measured' });
    expect(ratioOf(equal, 'between')).toBe(2);
  });

  it('says no more than was measured of what is better or worse at all settings', () => {
    expect(equal.opponents.get('better')).toEqual({ bytes: 700, is: 'at most' });
    expect(equal.opponents.get('worse')).toEqual({ bytes: 9000, is: 'over' });
  });
});

describe('KafkaTraffic', () => {
  const message = (body: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    return Buffer.concat([length, body]);
  };
  const request = (apiKey: number, correlationId: number, client: string, rest: string) => {
    const head = Buffer.alloc(10);
    head.writeInt16BE(apiKey, 0);
    head.writeInt32BE(correlationId, 4);
    head.writeInt16BE(client.length, 8);
    return message(Buffer.concat([head, Buffer.from(`${client}${rest}`)]));
  };
  const answer = (correlationId: number, rest: string) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(correlationId);
    return message(Buffer.concat([head, Buffer.from(rest)]));
  };

  it('tells frames, statuses and the rest of each client, however the bytes come', () => {
    const traffic = new KafkaTraffic();
    const onlooker = traffic.lookOn();
    onlooker.fromClient(request(3, 1, 'one', 'metadata'));
    onlooker.fromServer(answer(1, 'brokers'));
    const before = traffic.of('one');
    const frame = request(0, 2, 'one', '..x.camera.frame.v1..');
    const sent = Buffer.concat([frame, request(0, 3, 'one', '..x.camera.status.v1..')]);
    for (const byte of sent) onlooker.fromClient(Buffer.of(byte));
    onlooker.fromServer(Buffer.concat([answer(3, 'yes'), answer(2, 'also yes')]));
    traffic.lookOn().fromClient(request(0, 2, 'two', '..y.camera.frame.v1..'));

    expect(before.other).toEqual({ requests: 1, sentBytes: 25, receivedBytes: 15 });
    expect(trafficBetween(before, traffic.of('one'))).toEqual({
      frames: { requests: 1, sentBytes: frame.length, receivedBytes: 16 },
      status: { requests: 1, sentBytes: sent.length - frame.length, receivedBytes: 11 },
      other: { requests: 0, sentBytes: 0, receivedBytes: 0 },
    });
    expect(traffic.of('two').frames.requests).toBe(1);
  });
});

describe('freshnessOf', () => {
  it('counts what came after the first moment, over the time since then', () => {
    const arrivals = [0, 0, 500, 1000, 2000].map((receivedMs, index) => {
      const receivedUs = 1000 * receivedMs;
      return { receivedUs, captureUs: receivedUs - 1000 * (index + 1), valueBytes: 1 };
    });
    expect(freshnessOf(arrivals)).toEqual({ perSecond: 1.5, p50Ms: 3, p95Ms: 4 });
  });
});

describe('a line', () => {
  const flow = (requests: number, sentBytes: number) => ({ requests, sentBytes, receivedBytes: 0 });
  const traffic = { frames: flow(10, 28_960), status: flow(2, 296), other: flow(0, 0) };
  const arrivals = [{ captureUs: 0, receivedUs: 0, valueBytes: 2_700 }];
  const wire = wireOf(traffic, arrivals, 2);

  it('carries packets with a head each', () => {
    expect(wire).toEqual({
      ...{ valueBytes: 2_700, protocolBytes: 196, headerBytes: 104 },
      ...{ statusPerSecond: 200, otherPerSecond: 0, answersPerSecond: 312 },
    });
    expect(payloadPerSecond({ kilobits: 12, delayMs: 0 })).toBe(1448);
  });

  it('loses a round trip on each frame and on the status of each second', () => {
    // A frame: 1 s for 3,000 bytes, 0.2 s to and fro; a status: 200 bytes, and as long.
    const statusSeconds = 200 / 3_000 + 0.2;
    const rate = rateOf(wire, { kilobits: 24, delayMs: 100 });
    expect(rate).toBeCloseTo((1 - statusSeconds) / 1.2, 9);
    expect(rateOf(wire, { kilobits: 1, delayMs: 0 })).toBe(0);
  });
});
