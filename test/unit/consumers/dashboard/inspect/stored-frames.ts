import { partitionOf } from '#runtime/kafka/partition.ts';
import { seededRandom } from '#runtime/random.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

/** Murmur2 puts them into one partition of two. */
export const CAMERAS = ['gate', 'lobby', 'ramp'];

/** A cluster in memory with a frame topic that is written by hand, records and times. */
export function storedFrames(seed = 1) {
  const random = seededRandom(seed);
  const time = new VirtualClock();
  const cluster = new Cluster(time, random.fork('cluster'));
  const topics = topicTable({ prefix: 'shop', partitionCount: 2 });
  for (const spec of topicSpecs(topics)) cluster.ensureTopic(spec);
  const host = new Host('host', time);
  const broker = connectTo(cluster, host, random.fork('broker'));
  const topic = topics.frames.name;
  return {
    ...{ broker, topics, topic, clock: host.clock },
    log: (cameraId: string) => cluster.partition(topic, partitionOf(cameraId, 2)),
    drive: <T>(work: Promise<T>) => time.drive(work),
    /** `timestampMs`: when it is published. */
    publish(
      frame: FrameIdentity,
      timestampMs: number,
      value: Uint8Array = Buffer.alloc(100),
      headers: Readonly<Record<string, string>> = {},
    ): void {
      cluster.partitionFor(topic, frame.cameraId).append([
        {
          ...{ key: frame.cameraId, value, timestampMs },
          headers: { 'frame-id': frameId(frame), ...headers },
        },
      ]);
    },
  };
}
