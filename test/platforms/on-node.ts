import { readFileSync } from 'node:fs';
import { GOLDEN_FILES, type GoldenTexts, goldenIntegers } from './golden-integers.ts';

/** Prints what this Node decodes the golden streams to; main.ts runs it under other processors. */
const texts = Object.fromEntries(
  GOLDEN_FILES.map((file) => [
    file,
    readFileSync(new URL(`../golden/${file}`, import.meta.url), 'utf8'),
  ]),
) as GoldenTexts;
const platform = `node ${process.version} ${process.arch}`;
process.stdout.write(`${JSON.stringify({ platform, digests: goldenIntegers(texts) })}\n`);
