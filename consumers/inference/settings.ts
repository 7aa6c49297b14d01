import type { Bundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Environment } from '#runtime/settings.ts';
import type { Task } from '#schemas/result.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import type { EngineSettings } from './engine-protocol.ts';
import type { OverloadSettings } from './overload.ts';

export interface InferenceSettings {
  readonly groupId: string;
  readonly topics: TopicTable;
  readonly engine: EngineSettings;
  readonly batchFramesMax: number;
  readonly commitIntervalMs: number;
  readonly overload: OverloadSettings;
}

/** Throws `settings-invalid` for a head that the bundle or this program does not have. */
export function inferenceSettings(environment: Environment, bundle: Bundle): InferenceSettings {
  const { topicPrefix, partitionCount, replicationFactor } = environment;
  const { shedHeads, shedAfterMs, skipAfterMs } = environment;
  const heads = knownHeads('HALFSIGHT_HEADS', environment.heads, bundle);
  return {
    groupId: environment.groupId,
    topics: topicTable({ prefix: topicPrefix, partitionCount, replicationFactor }),
    engine: {
      bundleDirectory: environment.bundleDirectory,
      // In the bundle's order, so that the same heads make the same transactions.
      heads: tasksOf(bundle).filter((task) => heads === undefined || heads.includes(task)),
      provider: environment.provider,
      threads: environment.threads,
    },
    batchFramesMax:
      environment.provider === 'cpu' ? LIMITS.batchFramesCpuMax : LIMITS.batchFramesMax,
    commitIntervalMs: environment.commitIntervalMs,
    overload: {
      shedHeads: knownHeads('HALFSIGHT_SHED_HEADS', shedHeads, bundle) ?? [],
      shedAfterMs,
      skipAfterMs,
    },
  };
}

/** Those named, in the order in which they are; undefined when the variable is not set. */
function knownHeads(
  variable: string,
  wanted: readonly string[] | undefined,
  bundle: Bundle,
): Task[] | undefined {
  const known = tasksOf(bundle);
  return wanted?.map((name) => {
    const task = known.find((candidate) => candidate === name);
    if (task !== undefined) return task;
    throw new HalfsightError(
      'settings-invalid',
      `${variable} names "${name}", which bundle ${bundle.manifest.name} does not have.`,
      { advice: `It has ${known.join(', ')}.` },
    );
  });
}

function tasksOf({ manifest }: Bundle): Task[] {
  return manifest.heads.map(({ task }) => task);
}
