import { expect, it } from 'vitest';
import { Cameras, cameraName, DRAWS } from '#infra/plan/placement.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { isCameraId } from '#schemas/frame.ts';

it('places cameras where the producer sends them', () => {
  const [count, partitions, consumers] = [500, 24, 8];
  const fullest = { partition: 0, consumer: 0 };
  for (let draw = 0; draw < DRAWS; draw++) {
    const perPartition = new Array<number>(partitions).fill(0);
    for (let index = 0; index < count; index++) {
      const name = cameraName(draw, index);
      expect(isCameraId(name)).toBe(true);
      const partition = partitionOf(name, partitions);
      perPartition[partition] = (perPartition[partition] ?? 0) + 1;
    }
    fullest.partition = Math.max(fullest.partition, ...perPartition);
    for (let consumer = 0; consumer < consumers; consumer++) {
      const mine = perPartition.filter((_, partition) => partition % consumers === consumer);
      fullest.consumer = Math.max(
        fullest.consumer,
        mine.reduce((sum, cameras) => sum + cameras, 0),
      );
    }
  }
  const placement = new Cameras(count).place(partitions, consumers);
  expect(placement.partition.worstFullest).toBe(fullest.partition);
  expect(placement.consumer.worstFullest).toBe(fullest.consumer);
  expect(placement.partition.mean).toBeCloseTo(count / partitions);
});

it('one consumer has everything, and no hash makes two of one camera', () => {
  const { consumer } = new Cameras(100).place(8, 1);
  expect(consumer).toEqual({ mean: 100, medianFullest: 100, worstFullest: 100 });
  expect(new Cameras(1).place(8, 8).consumer.worstFullest).toBe(1);
});

it('ten thousand cameras: the fullest place is the fuller, the fewer fall on each', () => {
  const cameras = new Cameras(10_000);
  const excess = (partitions: number) => {
    const { mean, worstFullest } = cameras.place(partitions, partitions).partition;
    return worstFullest / mean;
  };
  expect(excess(8)).toBeLessThan(1.12);
  expect(excess(1024)).toBeGreaterThan(1.8);
});
