import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN, goldenText, objectsOf } from './chart.ts';

/** Whether what `helm template` printed is what golden/ has under a name; see run.sh. */
const [printed = '', name = ''] = process.argv.slice(2);
const made = goldenText(objectsOf([readFileSync(printed, 'utf8')]));
if (made !== readFileSync(join(GOLDEN, `${name}.yaml`), 'utf8')) {
  process.stderr.write(`${printed} is not what golden/${name}.yaml has: npm run chart\n`);
  process.exit(1);
}
