import type { Bundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Environment } from '#runtime/settings.ts';
import type { Task } from '#schemas/result.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import type { EngineSettings } from './engine-protocol.ts';

export interface InferenceSettings {
  readonly groupId: string;
  readonly topics: TopicTable;
  readonly engine: EngineSettings;
  readonly batchFramesMax: number;
}

/** Throws `settings-invalid` for a head that the bundle or this program does not have. */
export function inferenceSettings(environment: Environment, bundle: Bundle): InferenceSettings {
  const { topicPrefix, partitionCount, replicationFactor } = environment;
  return {
    groupId: environment.groupId,
    topics: topicTable({ prefix: topicPrefix, partitionCount, replicationFactor }),
    engine: {
      bundleDirectory: environment.bundleDirectory,
      heads: activeHeads(environment.heads, bundle),
      provider: environment.provider,
      threads: environment.threads,
    },
    batchFramesMax:
      environment.provider === 'cpu' ? LIMITS.batchFramesCpuMax : LIMITS.batchFramesMax,
  };
}

/**
 * In the bundle's order, so that the same heads make the same transactions however they are named.
 */
function activeHeads(wanted: readonly string[] | undefined, bundle: Bundle): Task[] {
  const known = bundle.manifest.heads.map((head) => head.task);
  for (const task of wanted ?? []) {
    if (known.some((candidate) => candidate === task)) continue;
    throw new HalfsightError(
      'settings-invalid',
      `HALFSIGHT_HEADS names "${task}", which bundle ${bundle.manifest.name} does not have.`,
      { advice: `It has ${known.join(', ')}.` },
    );
  }
  return known.filter((task) => wanted === undefined || wanted.includes(task));
}
