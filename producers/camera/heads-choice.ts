import type { Place, Section } from '#runtime/config-file.ts';
import { HalfsightError } from '#runtime/errors.ts';

/** Heads that a camera of the file wants. Only the bundle tells if they exist. */
export interface HeadsChoice {
  readonly names: readonly string[];
  readonly place: Place;
}

/** The heads that a bundle offers. */
export interface OfferedHeads {
  readonly heads: readonly { readonly task: string }[];
}

/** Undefined where the camera wants all. */
export function readHeads(section: Section): HeadsChoice | undefined {
  const names = section.texts('heads');
  if (names === undefined) return undefined;
  if (names.length === 0) section.reject('heads', NONE_NAMED);
  return { names, place: section.place('heads') };
}

const NONE_NAMED = 'must name at least one head; leave it out for all of them';

/** The named heads, each once and in the bundle's order, or what is wrong with a name. */
export function findHeads(
  names: readonly string[],
  { heads }: OfferedHeads,
): readonly string[] | { readonly problem: string } {
  if (names.length === 0) return { problem: NONE_NAMED };
  const known = heads.map(({ task }) => task);
  const missing = names.find((name) => !known.includes(name));
  if (missing === undefined) return known.filter((task) => names.includes(task));
  return { problem: `"${missing}" is no head of the bundle: ${known.join(', ')}` };
}

/**
 * By id of each camera that does not want all heads: those that it wants. Throws `config-invalid`
 * for heads that are missing.
 */
export function chooseHeads(
  cameras: readonly { readonly id: string; readonly heads: HeadsChoice | undefined }[],
  offered: OfferedHeads,
): ReadonlyMap<string, readonly string[]> {
  const problems: string[] = [];
  const chosen = new Map<string, readonly string[]>();
  for (const { id, heads } of cameras) {
    if (heads === undefined) continue;
    const found = findHeads(heads.names, offered);
    if (!('problem' in found)) chosen.set(id, found);
    else problems.push(`${heads.place.key}: ${found.problem} (${heads.place.line})`);
  }
  if (problems.length > 0) throw new HalfsightError('config-invalid', `${problems.join('; ')}.`);
  return chosen;
}
