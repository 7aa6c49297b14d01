import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `npm run bench -- NAME [args]` runs NAME.ts of this folder, as if it had been started itself.
 */
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

const [node = '', , name = '', ...args] = process.argv;
if (names.includes(name)) {
  const file = join(import.meta.dirname, `${name}.ts`);
  process.argv = [node, file, ...args];
  try {
    await import(file);
  } catch (error) {
    if (!isUsage(error)) throw error;
    process.stderr.write(`${error.message}. What it takes stands at the top of ${file}\n`);
    process.exitCode = 2;
  }
} else {
  const problem = name === '' ? 'Which one?' : `There is no benchmark "${name}".`;
  process.stderr.write(`${problem} npm run bench -- ${names.join(' | ')} [args]\n`);
  process.exitCode = 2;
}

function isUsage(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^ERR_PARSE_ARGS/.test(String(error.code));
}
