import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main } from 'assemblyscript/asc';

/**
 * `npm run build:codec` compiles rans.ts to WebAssembly and writes it into ../rans-module.ts, which
 * is committed: whoever runs or embeds the codec needs no compiler and reads no file. A test
 * compiles again and compares.
 */
const SOURCE = join(import.meta.dirname, 'rans.ts');
const PRODUCT = join(import.meta.dirname, '..', 'rans-module.ts');
const LINE_CHARACTERS = 92;

/** The WebAssembly module of an AssemblyScript source. Throws with the compiler's own messages. */
export async function compile(source: string): Promise<Uint8Array<ArrayBuffer>> {
  let module: Uint8Array | undefined;
  const options = ['rans.ts', '--outFile', 'rans.wasm', '--runtime', 'stub', '--noAssert'];
  const { error, stderr } = await main([...options, '-Ospeed', '--converge'], {
    readFile: (name) => (name === 'rans.ts' ? source : null),
    writeFile: (name, contents) => {
      if (name === 'rans.wasm') module = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || module === undefined) {
    throw new Error(`rans.ts does not compile: ${error?.message}\n${stderr.toString()}`);
  }
  return new Uint8Array(module);
}

export function readSource(): string {
  return readFileSync(SOURCE, 'utf8');
}

/** The text of ../rans-module.ts. */
export function moduleText(module: Uint8Array): string {
  const base64 = Buffer.from(module).toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g')) ?? [];
  return [
    '/** Written by `npm run build:codec` from assembly/rans.ts: a WebAssembly module, base64. */',
    'export const RANS_MODULE = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const module = await compile(readSource());
  writeFileSync(PRODUCT, moduleText(module));
  process.stdout.write(`codec/rans-module.ts: ${module.length} bytes of WebAssembly\n`);
}
