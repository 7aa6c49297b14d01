import { forkEngine } from '#consumers/inference/engine-channel.ts';
import { inferenceSettings } from '#consumers/inference/settings.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { loadBundle } from '#models/bundle.ts';
import type { Environment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { backfillTopics } from '#schemas/topics.ts';
import { type BackfillOptions, type BackfillSummary, runBackfill } from './backfill.ts';
import { namedHeads } from './named-heads.ts';
import type { Order } from './order.ts';

type Given =
  | ('broker' | 'clock' | 'logger' | 'tracer' | 'stopping')
  | ('mayRun' | 'onThrottled' | 'onProgress');

export interface PreparationOptions extends Pick<BackfillOptions, Given> {
  readonly environment: Environment;
  /** Undefined: the environment's. */
  readonly bundleDirectory: string | undefined;
}

/** Runs a backfill with what the environment names: bundle, heads, engine, topics, schemas. */
export async function runPreparedBackfill(
  order: Order,
  { environment: settled, bundleDirectory, ...options }: PreparationOptions,
): Promise<BackfillSummary> {
  const environment = {
    ...settled,
    bundleDirectory: bundleDirectory ?? settled.bundleDirectory,
    // The order says which heads; nothing is shed.
    ...{ heads: undefined, shedHeads: undefined },
  };
  const bundle = await loadBundle(environment.bundleDirectory);
  const { heads, replacements } = await namedHeads(order.heads, bundle, environment.headsDirectory);
  const settings = inferenceSettings(environment, bundle);
  const { topics, engine } = settings;
  const written = backfillTopics(topics);
  for (const { name } of [...Object.values(written.results), written.deadLetters]) {
    await options.broker.partitionCount(name);
  }
  return await runBackfill({
    ...order,
    ...options,
    ...{ heads, bundle, topics },
    settings: { ...settings, engine: { ...engine, ...(replacements && { replacements }) } },
    framing: await openFraming(environment.schemaRegistry, written),
    telemetry: new Telemetry(),
    spawnEngine: forkEngine,
  });
}
