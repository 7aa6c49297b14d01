import { describe, expect, expectTypeOf, it } from 'vitest';
import { CommandLine, FLAG, TEXT, TEXTS, writtenTimeMs } from '#runtime/command-line.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';

const line = new CommandLine('See npx halfsight knit --help.');

/** What a person is told, without the advice, which must be there. */
function told(read: () => unknown): string {
  try {
    return `read as ${JSON.stringify(read())}`;
  } catch (error) {
    expect(error).toBeInstanceOf(HalfsightError);
    const said = describeError(error);
    const match = /^usage-invalid: (.*) See npx halfsight knit --help\.$/.exec(said);
    return match?.[1] ?? `otherwise: ${said}`;
  }
}

describe('options and words', () => {
  const options = { yarn: TEXT, colour: TEXTS, fast: FLAG };

  it('have the types of their kinds', () => {
    const values = line.readOptions(['--yarn', 'wool', '--colour', 'a', '--colour', 'b'], options);
    expect(values).toEqual({ yarn: 'wool', colour: ['a', 'b'] });
    expectTypeOf(values.yarn).toEqualTypeOf<string | undefined>();
    expectTypeOf(values.colour).toEqualTypeOf<string[] | undefined>();
    expectTypeOf(values.fast).toEqualTypeOf<boolean | undefined>();
    const read = line.read(['scarf', '--fast'], { ...options, size: TEXT });
    expect(read).toEqual({ values: { fast: true }, positionals: ['scarf'] });
    expectTypeOf(read.values.size).toEqualTypeOf<string | undefined>();
    expectTypeOf(read.values).not.toHaveProperty('needle');
  });

  it('are refused as parseArgs says, in one sentence or two', () => {
    expect(told(() => line.readOptions(['--needle'], options))).toBe("Unknown option '--needle'.");
    expect(told(() => line.readOptions(['--yarn'], options))).toBe(
      "Option '--yarn <value>' argument missing.",
    );
    expect(told(() => line.readOptions(['scarf'], options))).toBe(
      "Unexpected argument 'scarf'. This command does not take positional arguments.",
    );
    expect(told(() => line.read(['scarf', '--needle'], options))).toMatch(/^Unknown option '--ne/);
  });

  it('are refused without advice where there is none', () => {
    const bare = new CommandLine();
    const { message, advice } = bare.wrong('no.');
    expect({ message, advice }).toEqual({ message: 'no.', advice: undefined });
    expect(() => bare.readOptions(['--needle'], {})).toThrow("Unknown option '--needle'.");
  });
});

it('what was not given is undefined, and refused only where it is needed', () => {
  expect(line.oneOf('--yarn', undefined, ['wool', 'silk'])).toBeUndefined();
  expect(line.number('--size', undefined, 1, 2)).toBeUndefined();
  expect(line.whole('--size', undefined, 1, 2)).toBeUndefined();
  expect(line.count('--rows', undefined)).toBeUndefined();
  expect(line.timeMs('--until', undefined)).toBeUndefined();
  expect(line.needed('--yarn', 'wool')).toBe('wool');
  expect(told(() => line.needed('--yarn', undefined))).toBe('--yarn is missing.');
});

it.each([
  ['silk', '"silk"'],
  ['', '--yarn must be wool, silk or flax, but is "".'],
  ['hemp', '--yarn must be wool, silk or flax, but is "hemp".'],
])('one of several: "%s"', (text, what) => {
  const read = () => line.oneOf('--yarn', text, ['wool', 'silk', 'flax']);
  expectTypeOf(read).returns.toEqualTypeOf<'wool' | 'silk' | 'flax' | undefined>();
  expect(told(read)).toBe(what.startsWith('--') ? what : `read as ${what}`);
});

it.each(['0.9', '2.1', '', ' ', '2 m', 'NaN'])('no number from 1 to 2: "%s"', (text) => {
  const what = `--size must be a number from 1 to 2, but is "${text}".`;
  expect(told(() => line.number('--size', text, 1, 2))).toBe(what);
  expect(told(() => line.whole('--size', text, 1, 2))).toBe(what);
});

it('a number, and a whole one', () => {
  expect(line.number('--size', '1.5', 1, 2)).toBe(1.5);
  expect(line.whole('--size', ' 2e0 ', 1, 2)).toBe(2);
  expect(told(() => line.whole('--size', '1.5', 1, 2))).toBe(
    '--size must be a whole number, but is "1.5".',
  );
});

it('a count', () => {
  expect(line.count('--rows', '1')).toBe(1);
  expect(line.count('--rows', '9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ['0', '', '1.5', '-1', 'many', '9007199254740993']) {
    const what = `--rows must be a whole number from 1, but is "${text}".`;
    expect(told(() => line.count('--rows', text))).toBe(what);
  }
});

it('a time', () => {
  expect(line.timeMs('--until', '2026-11-28T20:00:00Z')).toBe(Date.UTC(2026, 10, 28, 20));
  expect(writtenTimeMs('2026-11-28T20:00:00+01:00')).toBe(Date.UTC(2026, 10, 28, 19));
  expect(writtenTimeMs('2026-11-28')).toBe(Date.UTC(2026, 10, 28));
  // Date.parse takes some of these, each engine its own.
  for (const text of ['12h', 'noon', '28 Nov 2026', '1', '', '2026-13-01', '2026-11-28T25:00']) {
    expect(writtenTimeMs(text)).toBeUndefined();
    const what = `--until must be a time such as 2026-11-28T20:00:00Z, but is "${text}".`;
    expect(told(() => line.timeMs('--until', text))).toBe(what);
  }
});

it('verbs and words', () => {
  expect(line.verb('purl', ['knit', 'purl'])).toBe('purl');
  expectTypeOf(line.verb('purl', ['knit', 'purl'])).toEqualTypeOf<'knit' | 'purl'>();
  expect(told(() => line.verb('sew', ['knit', 'purl']))).toBe(
    'there is no command "sew": there are knit, purl.',
  );
  expect(line.oneWord('purl', ['left'], 'one sleeve')).toBe('left');
  for (const words of [[], ['left', 'right']]) {
    expect(told(() => line.oneWord('purl', words, 'one sleeve'))).toBe('purl takes one sleeve.');
  }
  expect(told(() => line.noWord('list', []))).toBe('read as undefined');
  expect(told(() => line.noWord('list', ['left']))).toBe('list takes no "left".');
});
