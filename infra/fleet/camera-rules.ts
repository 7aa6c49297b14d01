import { parseSource } from '#producers/camera/source-address.ts';

/** Of a camera that is added without one. */
export const FRAMES_PER_SECOND_DEFAULT = 5;

/**
 * What is wrong with a source as an operator wrote it, after its name: `must not be empty`. Judged
 * as the agents do, except for what only their environment tells.
 */
export function problemOfSource(written: string): string | undefined {
  if (written.startsWith('${')) return undefined;
  const parsed = parseSource(written.replace(/\$\{[^}]*\}/g, 'x'), '/');
  return 'problem' in parsed ? parsed.problem : undefined;
}
