import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MODULES = join(import.meta.dirname, '../../../node_modules');
/** By far the most of what a start reads from `node_modules`. */
const PACKAGES = ['onnxruntime-node', '@img', 'sharp', 'kafkajs', 'avsc', 'yaml'];

export function filesOfStart(bundleDirectory: string): string[] {
  const folders = [bundleDirectory, ...PACKAGES.map((name) => join(MODULES, name))];
  return folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile()),
  );
}

/**
 * Asks the kernel to forget the files: `posix_fadvise`, which Node does not have and GNU dd does.
 * What a running process has mapped stays. False where it cannot be asked.
 */
export function forgetFiles(files: readonly string[]): boolean {
  const each = 'for file; do dd if="$file" iflag=nocache count=0 status=none || exit 1; done';
  return spawnSync('sh', ['-c', each, 'sh', ...files], { stdio: 'ignore' }).status === 0;
}
