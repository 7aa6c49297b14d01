import type { Method } from './method.ts';

interface Published {
  readonly name: string;
  /** What brings it. */
  readonly remark: string;
}

const DECODED = 'needs --decoded: models/training/picture_codecs.py trains one and codes pictures';
const TRAINED = 'needs a --bundle of that name: npm run train -- --variant';

/** Published methods that a table about split computing is asked for; see the README. */
const PUBLISHED: readonly Published[] = [
  { name: 'factorised prior', remark: DECODED },
  { name: 'scale hyperprior', remark: DECODED },
  { name: 'joint prior', remark: DECODED },
  { name: 'CR+BQ', remark: `${TRAINED} cr-bq` },
  { name: 'end-to-end', remark: `${TRAINED} singh` },
  { name: 'Entropic Student', remark: `${TRAINED} entropic-student` },
  { name: 'Ladon', remark: `${TRAINED} ladon, or npm run convert` },
];

/** A row for each that is not there, which says why instead of vanishing. */
export function absentMethods(present: readonly Method[]): Method[] {
  const names = present.map(({ name }) => plain(name));
  return PUBLISHED.filter(({ name }) => !names.some((each) => each.startsWith(plain(name)))).map(
    ({ name, remark }) => ({ name, setting: 'not run', run: undefined, remark }),
  );
}

/** "Entropic Student" and "entropic-student-detection" begin alike. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]/g, '');
}
