import { describe, expect, it } from 'vitest';
import { type MadePreview, Previews, type PreviewsOptions } from '#producers/camera/previews.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodePreview } from '#schemas/preview.ts';
import { settle } from '#test/fixtures/manual-clock.ts';

const FRAMING = singleObjectFraming();
const KB_10 = 10 * 1024;

function made(captureTimeUs: number): MadePreview {
  const jpeg = new Uint8Array(KB_10);
  jpeg.set([0xff, 0xd8, 0xff]);
  return { captureTimeUs, width: 160, height: 90, jpeg };
}

function setUp(changes: Partial<PreviewsOptions> = {}) {
  const sent: OutgoingRecord[] = [];
  const line = { waitingBytes: 0, bytesPerSecond: 1_000_000 };
  const logged: string[] = [];
  const previews = new Previews({
    openProducer: async () => ({
      send: async (records) => void sent.push(...records),
    }),
    topic: 'previews',
    framing: FRAMING,
    ownsNow: () => true,
    waitingBytes: () => line.waitingBytes,
    openCapacity: () => line.bytesPerSecond,
    logger: createLogger({ level: 'debug', format: 'json', write: (text) => logged.push(text) }),
    ...changes,
  });
  const told = () => sent.map(({ value }) => decodePreview(value, FRAMING));
  return { previews, sent, told, line, logged };
}

describe('Previews', () => {
  it('publishes what was made, under the camera, on a topic of its own', async () => {
    const { previews, sent, told } = setUp();
    previews.take('gate', made(7));
    await settle();
    expect(sent).toMatchObject([{ topic: 'previews', key: 'gate', headers: {} }]);
    expect(told()).toMatchObject([{ cameraId: 'gate', captureTimeUs: 7, width: 160, height: 90 }]);
    expect(previews.report()).toEqual({ published: 1, dropped: {} });
  });

  it('opens no producer before there is anything to send', () => {
    setUp({ openProducer: () => expect.fail('no producer') }).previews.proceed();
  });

  it('waits while frames need the line, and gives way to newer ones', async () => {
    const { previews, told, line } = setUp();
    const halfSecond = (line.bytesPerSecond * LIMITS.previewLineMsMax) / 1000;
    line.waitingBytes = halfSecond - KB_10 + 1;
    previews.take('gate', made(1));
    previews.take('yard', made(1));
    previews.take('gate', made(2));
    previews.proceed();
    await settle();
    expect(told()).toEqual([]);
    line.waitingBytes = halfSecond - KB_10;
    previews.proceed();
    await settle();
    expect(told().map(({ cameraId, captureTimeUs }) => `${cameraId} ${captureTimeUs}`)).toEqual([
      ...['yard 1', 'gate 2'],
    ]);
    expect(previews.report()).toEqual({ published: 2, dropped: { 'line-busy': 1 } });
  });

  it('waits until frames have shown what the line carries, and on one too thin', async () => {
    const { previews, told, line } = setUp();
    line.bytesPerSecond = 0;
    previews.take('gate', made(1));
    await settle();
    line.bytesPerSecond = 8_000;
    previews.proceed();
    await settle();
    expect(told(), '10 kB would take it for longer than a second').toEqual([]);
    line.bytesPerSecond = 100_000;
    previews.proceed();
    await settle();
    expect(told()).toHaveLength(1);
  });

  it('holds so many at most, and drops the oldest', async () => {
    const { previews, told, line } = setUp();
    line.bytesPerSecond = 0;
    const count = LIMITS.previewsWaitingMax + 3;
    for (let index = 0; index < count; index++) previews.take(`camera-${index}`, made(1));
    const { length, max, in: came, dropped } = previews.queueState();
    expect([length, max, came, dropped]).toEqual([max, LIMITS.previewsWaitingMax, count, 3]);
    line.bytesPerSecond = 1e9;
    previews.proceed();
    for (let turn = 0; turn < count; turn++) await settle();
    expect(told()[0]?.cameraId).toBe('camera-3');
    expect(previews.report()).toEqual({ published: max, dropped: { 'line-busy': 3 } });
  });

  it('sends one at a time, and counts what the broker does not take, saying why once', async () => {
    const failure = new HalfsightError('topic-missing', 'there is no such topic.');
    let under = 0;
    let isThere = false;
    const { previews, logged } = setUp({
      openProducer: async () => ({
        send: async () => {
          expect(++under).toBe(1);
          await settle();
          under--;
          if (!isThere) throw failure;
        },
      }),
    });
    for (const camera of ['a', 'b', 'c']) previews.take(camera, made(1));
    for (let turn = 0; turn < 9; turn++) await settle();
    expect(previews.report()).toEqual({ published: 0, dropped: { 'send-failed': 3 } });
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain('there is no such topic');
    isThere = true;
    previews.take('a', made(2));
    for (let turn = 0; turn < 3; turn++) await settle();
    expect(previews.report()).toMatchObject({ published: 1 });
  });

  it('tries to connect again with the next one', async () => {
    let isAway = true;
    const { previews } = setUp({
      openProducer: async () => {
        if (isAway) throw new HalfsightError('broker-unavailable', 'nobody there.');
        return { send: async () => undefined };
      },
    });
    previews.take('gate', made(1));
    await settle();
    isAway = false;
    previews.take('gate', made(2));
    await settle();
    expect(previews.report()).toEqual({ published: 1, dropped: { 'send-failed': 1 } });
  });

  it('sends nothing of a camera that another agent may have, or that was stopped', async () => {
    const { previews, told, line } = setUp({ ownsNow: (cameraId) => cameraId !== 'taken' });
    previews.take('taken', made(1));
    line.bytesPerSecond = 0;
    for (const camera of ['gate', 'yard']) previews.take(camera, made(1));
    previews.forget('gate');
    previews.forget('nobody');
    previews.stop();
    previews.take('yard', made(2));
    line.bytesPerSecond = 1e9;
    previews.proceed();
    await settle();
    expect(told()).toEqual([]);
    const dropped = { 'not-owner': 1, stopped: 3 };
    expect(previews.report()).toEqual({ published: 0, dropped });
  });

  it('counts what was not made', () => {
    const { previews } = setUp();
    for (const dropped of ['too-large', 'encode-failed', 'too-large'] as const) {
      previews.take('gate', { dropped });
    }
    expect(previews.report().dropped).toEqual({ 'too-large': 2, 'encode-failed': 1 });
    expect(previews.queueState()).toMatchObject({ in: 0, dropped: 0 });
  });
});
