import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { headDirectory, loadHeadOf } from '#models/added-head.ts';
import type { Bundle } from '#models/bundle.ts';
import { readHeadsFile, type TaskHeads } from '#models/heads-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Task } from '#schemas/result.ts';
import type { EngineSettings, PlacedHead, PlacedHeads } from './engine-protocol.ts';
import type { EngineSwitch } from './engine-switch.ts';

export interface HeadWatcherOptions {
  /** Holds heads.json and a folder for each head. */
  readonly directory: string;
  readonly bundle: Bundle;
  readonly engine: Pick<EngineSwitch, 'settings' | 'replace'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The last time that a task's heads were made what heads.json says, or not. */
interface Attempt {
  /** What was found then. */
  readonly signature: string;
  /** How often in a row that was refused. */
  readonly refusals: number;
  readonly timeMs: number;
}

/**
 * Makes the engine run what heads.json says, task by task, while batches go on. It looks every few
 * seconds, because volumes tell no changes. A head that is not whole, does not belong to the body
 * or does not run is refused and logged: what is live stays live. It is tried again when something
 * about it has changed, or after a while, and then ever more seldom.
 */
export class HeadWatcher {
  readonly #options: HeadWatcherOptions;
  readonly #attempts = new Map<Task, Attempt>();
  #lastProblem = '';

  constructor(options: HeadWatcherOptions) {
    this.#options = options;
  }

  async run(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      await this.look(stopping);
      await this.#options.clock.sleep(LIMITS.headPollIntervalMs, stopping);
    }
  }

  async look(stopping: AbortSignal): Promise<void> {
    const { directory, engine, logger } = this.#options;
    try {
      const file = await readHeadsFile(directory);
      // Not there: never written, or a volume that is away. What runs goes on.
      for (const task of file === undefined ? [] : engine.settings.heads) {
        if (!stopping.aborted) await this.#consider(task, file?.[task] ?? {}, stopping);
      }
      this.#lastProblem = '';
    } catch (error) {
      const problem = describeError(error);
      if (problem !== this.#lastProblem) logger.error('heads-unreadable', { error: problem });
      this.#lastProblem = problem;
    }
  }

  async #consider(task: Task, wanted: TaskHeads, stopping: AbortSignal): Promise<void> {
    const { directory, clock } = this.#options;
    const parts = [wanted.live, wanted.shadow].map(async (version) => {
      if (version === undefined) return '';
      return `${version} ${await signatureOf(headDirectory(directory, task, version))}`;
    });
    const signature = (await Promise.all(parts)).join('|');
    const timeMs = clock.monotonicMs();
    const last = this.#attempts.get(task);
    const refusals = last?.signature === signature ? last.refusals : 0;
    if (last?.signature === signature && timeMs < last.timeMs + retryDelayMs(refusals)) return;
    const isDone = await this.#apply(task, wanted, stopping);
    this.#attempts.set(task, { signature, refusals: isDone ? 0 : refusals + 1, timeMs });
  }

  /** Returns whether all of it is so now. */
  async #apply(task: Task, wanted: TaskHeads, stopping: AbortSignal): Promise<boolean> {
    const { engine, bundle, clock, logger } = this.#options;
    const { settings } = engine;
    const live = await this.#place(task, 'live', wanted.live);
    const shadow = await this.#place(task, 'shadow', wanted.shadow);
    const isFound = live !== 'refused' && shadow !== 'refused';
    const next = withHeads(settings, task, {
      live: live === 'refused' ? settings.replacements?.[task] : live,
      shadow: shadow === 'refused' ? undefined : shadow,
    });
    if (JSON.stringify(next) === JSON.stringify(settings)) return isFound;
    const own = bundle.manifest.heads.find((head) => head.task === task)?.version;
    const versions = {
      task,
      live: next.replacements?.[task]?.version ?? own,
      shadow: next.shadows?.[task]?.version ?? 'none',
    };
    const startMs = clock.monotonicMs();
    try {
      await engine.replace(next);
    } catch (error) {
      if (!stopping.aborted)
        logger.error('head-refused', { ...versions, error: describeError(error) });
      return false;
    }
    const openMs = Math.round(clock.monotonicMs() - startMs);
    logger.info('heads-changed', { ...versions, openMs });
    return isFound;
  }

  /** Undefined: the bundle's own, or none. */
  async #place(
    task: Task,
    role: keyof TaskHeads,
    version: string | undefined,
  ): Promise<PlacedHead | undefined | 'refused'> {
    const { directory, bundle, logger } = this.#options;
    if (role === 'live' && isOwn(bundle, task, version)) return undefined;
    if (version === undefined) return undefined;
    try {
      return await placeHead(directory, task, version, bundle);
    } catch (error) {
      logger.error('head-refused', { task, role, version, error: describeError(error) });
      return 'refused';
    }
  }
}

/** Opening a head that is refused costs what live frames could use. */
function retryDelayMs(refusals: number): number {
  if (refusals === 0) return Number.POSITIVE_INFINITY;
  return Math.min(LIMITS.headRetryMsMin * 2 ** (refusals - 1), LIMITS.headRetryMsMax);
}

/** What an engine begins with, and what where that does not run. */
export interface FirstHeads {
  readonly directory: string;
  readonly live: EngineSettings;
  readonly former: EngineSettings;
}

/**
 * The live heads only, because a shadow must not keep a process from starting. Throws for a live
 * head that cannot be read, or `settings-invalid` where there is no folder.
 */
export async function firstHeads(
  settings: EngineSettings,
  directory: string,
  bundle: Bundle,
): Promise<FirstHeads> {
  await readdir(directory).catch((cause: Error) => {
    const message = `HALFSIGHT_HEADS_DIRECTORY=${directory} cannot be read: ${cause.message}.`;
    throw new HalfsightError('settings-invalid', message, { cause });
  });
  const file = (await readHeadsFile(directory)) ?? {};
  let [live, former] = [settings, settings];
  for (const task of settings.heads) {
    const versions = file[task];
    if (versions?.live === undefined || isOwn(bundle, task, versions.live)) continue;
    const placed = await placeHead(directory, task, versions.live, bundle);
    live = withHeads(live, task, { live: placed, shadow: undefined });
    if (versions.former === undefined || isOwn(bundle, task, versions.former)) continue;
    // Where it is gone, the bundle's own one is always there.
    const before = placeHead(directory, task, versions.former, bundle).catch(() => undefined);
    former = withHeads(former, task, { live: await before, shadow: undefined });
  }
  return { directory, live, former };
}

function isOwn({ manifest }: Bundle, task: Task, version: string | undefined): boolean {
  return manifest.heads.some((head) => head.task === task && head.version === version);
}

async function placeHead(
  directory: string,
  task: Task,
  version: string,
  bundle: Bundle,
): Promise<PlacedHead> {
  const head = await loadHeadOf(directory, task, version, bundle);
  return { version, digest: head.digest, directory: head.directory };
}

/** The same settings with other heads for one task, in the order of the tasks. */
function withHeads(
  { replacements, shadows, ...settings }: EngineSettings,
  task: Task,
  heads: { readonly live: PlacedHead | undefined; readonly shadow: PlacedHead | undefined },
): EngineSettings {
  const changed = (placed: PlacedHeads | undefined, head: PlacedHead | undefined) => {
    const all = settings.heads.flatMap((other) => {
      const one = other === task ? head : placed?.[other];
      return one === undefined ? [] : [[other, one] as const];
    });
    return all.length === 0 ? undefined : (Object.fromEntries(all) as PlacedHeads);
  };
  const live = changed(replacements, heads.live);
  const beside = changed(shadows, heads.shadow);
  return {
    ...settings,
    ...(live === undefined ? {} : { replacements: live }),
    ...(beside === undefined ? {} : { shadows: beside }),
  };
}

/** Changes with any of its files, without reading them. Empty for a folder that is not there. */
async function signatureOf(directory: string): Promise<string> {
  try {
    const names = (await readdir(directory)).sort();
    const files = names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(directory, name));
      return `${name}:${size}:${mtimeMs}`;
    });
    return (await Promise.all(files)).join(' ');
  } catch {
    return '';
  }
}
