import { expect, it } from 'vitest';
import { sampleRatio, spansToWall } from '#infra/start/wall.ts';
import { readEnvironment } from '#runtime/settings.ts';

const NOTHING_NAMED = readEnvironment({});
const WALL = { host: '127.0.0.1', port: 8470 };

it('sends spans to the wall, unless somebody has named a place or there is none', () => {
  const endpoint = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  expect(spansToWall(WALL, NOTHING_NAMED)).toMatchObject({
    [endpoint]: 'http://127.0.0.1:8470/v1/traces',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
  });
  expect(spansToWall({ ...WALL, host: '::' }, NOTHING_NAMED)).toMatchObject({
    [endpoint]: 'http://127.0.0.1:8470/v1/traces',
  });
  expect(spansToWall(undefined, NOTHING_NAMED)).toEqual({});
  for (const variables of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'console' }]) {
    expect(spansToWall(WALL, readEnvironment(variables))).toEqual({});
  }
});

it('traces no more frames than anybody looks at, unless somebody wants them', () => {
  expect(sampleRatio(8, NOTHING_NAMED)).toBe(1);
  expect(sampleRatio(200, NOTHING_NAMED)).toBe(0.05);
  expect(sampleRatio(200, readEnvironment({ OTEL_TRACES_EXPORTER: 'console' }))).toBe(1);
});
