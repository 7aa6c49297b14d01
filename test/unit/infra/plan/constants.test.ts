import { expect, it } from 'vitest';
import {
  FIGURES,
  parseConstants,
  readConstants,
  SECTION_NAMES,
  SHIPPED_CONSTANTS,
} from '#infra/plan/constants.ts';
import { CONSTANTS } from './sample.ts';

it('the constants that come with Halfsight are whole and have their sources', () => {
  const shipped = readConstants(SHIPPED_CONSTANTS);
  for (const section of SECTION_NAMES) {
    expect(Object.keys(shipped[section]).sort()).toEqual(Object.keys(FIGURES[section]).sort());
    expect(shipped.sources[section].from).toMatch(/^npm run /);
  }
  expect(shipped.engine.bodyUs).toBeGreaterThan(0);
});

it.each([
  ['a missing figure', { broker: { sendUs: 1, frameUs: 1 } }, /"broker.transactionUs"/],
  ['a figure below 0', { broker: { ...CONSTANTS.broker, sendUs: -1 } }, /"broker.sendUs"/],
  ['text', { broker: { ...CONSTANTS.broker, sendUs: '12' } }, /"broker.sendUs"/],
  ['no source', { sources: { ...CONSTANTS.sources, engine: {} } }, /"sources.engine"/],
  ['no bundle', { bundle: undefined }, /"bundle"/],
])('refuses %s', (_, change, message) => {
  expect(() => parseConstants({ ...CONSTANTS, ...change }, 'mine.json')).toThrow(message);
});

it('says how such a file is made', () => {
  expect(() => readConstants('/no/such/file')).toThrow(
    expect.objectContaining({ code: 'config-invalid', advice: expect.stringContaining('--fit') }),
  );
});
