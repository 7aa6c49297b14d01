import { expect, it } from 'vitest';
import { FaultLog } from '#consumers/inference/fault-log.ts';
import { createLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

it('tells the first at once, then one a second and how many it kept back', async () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const log = new FaultLog('bad', clock, logger);
  for (let offset = 0; offset < 10; offset++) log.report({ offset });
  await clock.advance(1_000);
  log.report({ offset: 10 });
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(told).toMatchObject([
    { event: 'bad', offset: 0 },
    { offset: 10, untold: 9 },
  ]);
});
