import type { PlacedHeads } from '#consumers/inference/engine-protocol.ts';
import { loadHeadOf } from '#models/added-head.ts';
import type { Bundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { TASKS, type Task } from '#schemas/result.ts';

export interface NamedHeads {
  /** By task, as `checkOrder` wants them; undefined: all of the bundle. */
  readonly heads: readonly string[] | undefined;
  /** Those that are not the bundle's own. */
  readonly replacements: PlacedHeads | undefined;
}

/**
 * `detection` is the bundle's own head for that task, and `detection-2` is version 2, which came
 * after its bundle and lies in the folder of heads. So frames can be analysed by a head that there
 * was none of when they were recorded. Which head is live does not matter. Throws `usage-invalid`,
 * or as `loadHeadOf` does.
 */
export async function namedHeads(
  names: readonly string[] | undefined,
  bundle: Bundle,
  directory: string | undefined,
): Promise<NamedHeads> {
  if (names === undefined) return { heads: undefined, replacements: undefined };
  const asked = names.map((name) => ({ name, ...parse(name) }));
  const heads = asked.map(({ task }) => task);
  const twice = heads.find((task, index) => heads.indexOf(task) !== index);
  if (twice !== undefined) throw wrong(`two heads for ${twice} are named.`);
  const placed: [Task, NonNullable<PlacedHeads[Task]>][] = [];
  for (const { name, task, version } of asked) {
    const own = bundle.manifest.heads.find((head) => head.task === task);
    if (version === undefined || own === undefined || own.version === version) continue;
    if (directory === undefined) {
      throw wrong(
        `"${name}" is in the folder of heads, and none is named.`,
        'Set HALFSIGHT_HEADS_DIRECTORY where it is run.',
      );
    }
    const head = await loadHeadOf(directory, own.task, version, bundle);
    placed.push([own.task, { version, digest: head.digest, directory: head.directory }]);
  }
  return { heads, replacements: placed.length === 0 ? undefined : Object.fromEntries(placed) };
}

function parse(name: string): { readonly task: string; readonly version: string | undefined } {
  const task = TASKS.find((known) => name.startsWith(`${known}-`));
  if (task === undefined) return { task: name, version: undefined };
  const version = name.slice(task.length + 1);
  if (VERSION.test(version)) return { task, version };
  throw wrong(`"${name}" is no head: it is named as its folder, detection-2 for example.`);
}

/** As `head.json` may say it; a path is none. */
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

function wrong(message: string, advice?: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, advice === undefined ? {} : { advice });
}
