import { expect, it } from 'vitest';
import { sharedStack } from './stack.ts';

it('gives every test file the same servers and a prefix of its own', () => {
  const one = sharedStack('shared-stack');
  const two = sharedStack('shared-stack');
  expect(one.brokers).toEqual(two.brokers);
  expect(one.prefix).not.toBe(two.prefix);
});
