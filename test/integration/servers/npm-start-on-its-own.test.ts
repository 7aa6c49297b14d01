import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEFAULT_WALL_LISTEN } from '#runtime/settings.ts';
import { until } from '#test/fixtures/until.ts';
import { startHalfsight } from '#test/integration/started-halfsight.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

const SHIPPED = join(import.meta.dirname, '../../../models/bundles/halfsight-lite0/bundle.json');
/** The shipped bundle sees people and cars; the tiny one is there for a clone without it. */
const BUNDLE_ARGS = existsSync(SHIPPED) ? [] : ['--bundle', TINY_BUNDLE];

/** The row of a camera in the balance: captured, results of each head, and so on. */
function balanceRow(output: string, camera: string) {
  const row = new RegExp(`^${camera} +\\d{4}-\\S+ \\S+((?: +\\d+){9}) +(.*)$`, 'm').exec(output);
  const [captured, classification, detection, segmentation, dropped, dead, lost, doubled] = (
    row?.[1] ?? ''
  )
    .trim()
    .split(/ +/)
    .map(Number);
  const results = [classification, detection, segmentation];
  return { captured: captured ?? 0, results, dropped, dead, lost, doubled, verdict: row?.[2] };
}

it('runs on servers of its own, adds up, and leaves nothing behind', async (context) => {
  const run = startHalfsight(['--duration', '8', '--cameras', '2', ...BUNDLE_ARGS], {
    // Empty means unset: the machine that runs the tests may have servers of its own.
    KAFKA_BROKERS: '',
    REDIS_URL: '',
    KAFKA_TOPIC_PREFIX: 'npm-start-test',
    KAFKA_GROUP_ID: 'npm-start-test',
  });
  await until(
    () => run.output().includes('Logs of this run'),
    30_000,
    () => run.output(),
  );
  // Another program wants the port that is meant for the camera agent.
  const other = createServer().on('error', () => undefined);
  other.listen(DEFAULT_WALL_LISTEN.port + 2, DEFAULT_WALL_LISTEN.host);
  const code = await run.exited;
  other.close();
  if (run.output().includes('already runs a stack')) {
    context.skip('an `npm start` or `npm run stack` of this clone is running: stop it first');
  }
  expect(code, run.output()).toBe(0);
  for (const camera of ['street', 'car-park']) {
    const row = balanceRow(run.output(), camera);
    expect(row.captured, run.output()).toBeGreaterThan(10);
    for (const count of row.results) expect(count).toBe(row.captured - (row.dropped ?? 0));
    expect(row).toMatchObject({ dead: 0, lost: 0, doubled: 0, verdict: 'adds up' });
  }
  expect(run.output()).toContain('0 lost, 0 duplicated.');
  expect(run.output()).toMatch(/^The wall: http:\/\/127\.0\.0\.1:\d+/);
  expect(run.firstOutputMs()).toBeLessThan(3_000);
  expect(run.processes()).toEqual([]);
});

it('says what is wrong before it starts anything', async () => {
  const run = startHalfsight(['--source', '/no/such/clip.mp4'], {});
  expect(await run.exited).toBe(2);
  expect(run.output()).toContain('there is no file /no/such/clip.mp4');
  expect(run.output()).toContain('Usage: npm start');
});
