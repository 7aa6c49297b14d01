import type { Broker, Producer } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';

/** Cameras whose pictures are grey; the tiny bundle sees their brightness. */
export const CAMERAS = ['gate', 'yard', 'north-1', 'north-2', 'hall', 'roof'];

/** Writes frames `from` to `to` of each camera, and tells which. */
export async function writeFrames(broker: Broker, topic: string, from: number, to: number) {
  const producer = await broker.openProducer();
  const write = await frameWriter(producer, topic);
  const written: FrameIdentity[] = [];
  for (let sequence = from; sequence < to; sequence++) written.push(...(await write(sequence)));
  await producer.close();
  return written;
}

/** Writes a frame of each camera. */
async function frameWriter(producer: Producer, topic: string) {
  const tiny = await tinyFrames();
  return async (sequence: number): Promise<readonly FrameIdentity[]> => {
    const frames = CAMERAS.map((cameraId) =>
      tiny.frame(sequence, { cameraId }, 64 + (sequence % 16) * 8),
    );
    await producer.send(
      frames.map((frame) => ({
        topic,
        key: frame.cameraId,
        value: tiny.record(sequence, frame),
        headers: { 'frame-id': frameId(frame) },
      })),
    );
    return frames;
  };
}

/** Writes a frame of each camera every 50 ms until stopped; then tells what was written. */
export async function startCameras(broker: Broker, topic: string) {
  const write = await frameWriter(await broker.openProducer(), topic);
  const written: FrameIdentity[] = [];
  let isStopped = false;
  const writing = (async () => {
    for (let sequence = 0; !isStopped; sequence++) {
      written.push(...(await write(sequence)));
      await systemClock.sleep(50);
    }
  })();
  return {
    async stop(): Promise<readonly FrameIdentity[]> {
      isStopped = true;
      await writing;
      return written;
    },
  };
}
