/** Types of ensure.mjs, for its tests. */
export type Program =
  | 'java'
  | 'mvn'
  | 'redis-server'
  | 'ffmpeg'
  | 'chromium'
  | 'prometheus'
  | 'python3';

export function programsNeeded(
  command: 'start' | 'test' | 'packages' | 'wall' | 'tools' | 'python',
  environment: Readonly<Record<string, string | undefined>>,
): Program[];

export function javaMajor(output: string): number | undefined;

export function packagesAreFresh(facts: {
  readonly lockHash: string;
  readonly stamp: string | undefined;
  readonly lockTimeMs: number;
  readonly installedTimeMs: number | undefined;
}): boolean;

export function installAdvice(
  missing: readonly Program[],
  system: { readonly platform: string; readonly hasApt: boolean },
): string;

export function hashOfFolders(folders: readonly string[]): string;

export function pathOutside(path: string, root: string): string;
