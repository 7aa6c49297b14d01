import { describe, expect, it } from 'vitest';
import { bearerOf, readTokens, tokenOf } from '#runtime/access-tokens.ts';

const ONE = 'x'.repeat(22);
const OTHER = 'y'.repeat(64);

describe('readTokens', () => {
  it('gives each line a name', () => {
    const tokens = readTokens(`# who may\n\nmaria:${ONE}\n ${OTHER}\r\n`, 'A_TOKEN');
    expect(tokens.map(({ name }) => name)).toEqual(['maria', 'token-4']);
    expect(tokenOf(tokens, ONE)?.name).toBe('maria');
    expect(tokenOf(tokens, OTHER)?.name).toBe('token-4');
    expect(tokenOf(tokens, `${ONE}x`)).toBeUndefined();
  });

  it.each([
    ['', 'there is no token in it.'],
    ['# none\n', 'there is no token in it.'],
    [`a:${ONE}\nb:${ONE}`, 'two lines hold the same token.'],
    ['maria:secret', 'the token in line 1 is shorter than 22 characters.'],
    [`\nmaria b:${ONE}`, 'the name in line 2 is none.'],
    [`${ONE} ${ONE}`, 'line 1 holds no token: letters, digits and -._~+/=.'],
  ])('refuses %j', (text, message) => {
    const refusal = expect.objectContaining({
      ...{ code: 'settings-invalid', message: `A_TOKEN(_FILE): ${message}` },
      advice: expect.stringContaining('set A_TOKEN_FILE=FILE.'),
    });
    expect(() => readTokens(text, 'A_TOKEN')).toThrow(refusal);
    expect(() => readTokens(text, 'A_TOKEN')).not.toThrow(/secret|xxx/);
  });
});

it.each([
  [`Bearer ${ONE}`, ONE],
  [`bearer  ${ONE} `, ONE],
  [`Basic ${ONE}`, undefined],
  [ONE, undefined],
  [`Bearer ${ONE} ${OTHER}`, undefined],
  [undefined, undefined],
])('bearerOf %j', (header, token) => {
  expect(bearerOf(header)).toBe(token);
});
