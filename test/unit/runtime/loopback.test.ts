import { expect, it } from 'vitest';
import { checkListen, isLoopback } from '#runtime/loopback.ts';

it.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.0.2.1', false],
  ['control.example', false],
])('%s: on this machine only: %s', (host, isHere) => {
  expect(isLoopback(host)).toBe(isHere);
  const variables = { listen: 'A_LISTEN', token: 'A_TOKEN' };
  const check = (hasTokens: boolean) => checkListen({ host, port: 1 }, hasTokens, variables);
  if (isHere) check(false);
  else expect(() => check(false)).toThrow(`A_LISTEN=${host} can be reached from elsewhere`);
  check(true);
});
