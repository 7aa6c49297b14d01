import { readFileSync } from 'node:fs';
import { HalfsightError } from './errors.ts';

/** Of a PEM file that a setting names; `advice` says which. Throws `settings-invalid`. */
export function readTlsFile(file: string, advice: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const message = `the TLS file ${file} cannot be read.`;
    throw new HalfsightError('settings-invalid', message, { cause, advice });
  }
}
