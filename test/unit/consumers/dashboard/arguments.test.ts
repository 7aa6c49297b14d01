import { expect, it } from 'vitest';
import { readWallArguments } from '#consumers/dashboard/arguments.ts';

it('serves, or says how', () => {
  expect(readWallArguments([])).toBe('serve');
  expect(readWallArguments(['--help'])).toBe('help');
});

it.each([['--port'], ['8470']])('refuses %s', (argument) => {
  expect(() => readWallArguments([argument])).toThrow(
    expect.objectContaining({ code: 'usage-invalid', advice: 'See npx halfsight wall --help.' }),
  );
});
