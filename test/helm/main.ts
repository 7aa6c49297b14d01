import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN, goldenText, readValues, render, valuesNames } from './chart.ts';

/** `npm run chart`: renders the chart with each file of values/, and writes golden/ anew. */
mkdirSync(GOLDEN, { recursive: true });
for (const old of readdirSync(GOLDEN)) rmSync(join(GOLDEN, old));
for (const name of valuesNames()) {
  const objects = render(readValues(name));
  writeFileSync(join(GOLDEN, `${name}.yaml`), goldenText(objects));
  process.stdout.write(`${name}: ${objects.length} objects\n`);
}
