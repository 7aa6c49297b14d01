import { describe, expect, it } from 'vitest';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { cycle } from '#test/bench/consumer/cycle.ts';
import { evenCameras } from '#test/bench/instruments/frame-writer.ts';

describe('evenCameras', () => {
  it.each([1, 4, 8, 16])('gives each of %i partitions as many cameras', (partitions) => {
    const cameras = evenCameras(partitions, 3);
    const counts = new Map<number, number>();
    for (const camera of cameras) {
      const partition = partitionOf(camera, partitions);
      counts.set(partition, (counts.get(partition) ?? 0) + 1);
    }
    expect(new Set(cameras).size).toBe(3 * partitions);
    expect([...counts.values()]).toEqual(new Array(partitions).fill(3));
  });
});

describe('cycle', () => {
  it('groups members in turn until the first one is first again', () => {
    expect(cycle(['a', 'b', 'c', 'd'], 2)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect(cycle(['a', 'b', 'c'], 2)).toEqual([
      ['a', 'b'],
      ['c', 'a'],
      ['b', 'c'],
    ]);
  });

  it('a group may be larger than the members are many', () => {
    expect(cycle(['a', 'b'], 3)).toEqual([
      ['a', 'b', 'a'],
      ['b', 'a', 'b'],
    ]);
  });
});
