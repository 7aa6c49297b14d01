import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { openBrowser } from '#test/fixtures/browser.ts';
import { WallProcess } from '#test/fixtures/wall-child.ts';
import { createTopics, openBroker, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

/** Agent, consumer and wall as users run them, which send their spans to the wall. */

const SCREENS = join(import.meta.dirname, '..', '..', '.halfsight', 'screens');
const PATIENCE = { timeout: 60_000 };

let browser: Browser;
beforeAll(async () => {
  mkdirSync(SCREENS, { recursive: true });
  browser = await openBrowser();
});
afterAll(() => browser.close());

it('a frame with a trace is two clicks away, and its steps add up to its age', async () => {
  const { brokers, prefix } = sharedStack('wall-trace');
  await createTopics(openBroker(brokers), topicTable({ prefix, partitionCount: 2 }));
  // The wall's own spans go to itself, so its port has to be known before it starts.
  const [port] = await choosePorts(1, [], seededRandom(freshSeed()));
  const listen = `127.0.0.1:${port}`;
  const variables = {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://${listen}/v1/traces`,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
  };
  const wall = new WallProcess({
    ...{ brokers, prefix },
    variables: { ...variables, HALFSIGHT_WALL_LISTEN: listen },
  });
  onTestFinished(() => wall.kill());
  await wall.address;
  const source = 'synthetic:street?width=160&height=120';
  const config =
    'agent: {id: tracing}\ntrace: {sampleRatio: 1}\n' +
    `cameras:\n  - {id: gate, source: "${source}", fps: 2}\n`;
  const agent = new AgentProcess({ brokers, prefix, variables, config });
  onTestFinished(async () => {
    await agent.stop('SIGKILL');
  });
  startInference(brokers, prefix, variables);

  const page = await browser.newPage();
  await page.goto(`http://${listen}`);
  await page.getByRole('link', { name: /^gate / }).click(PATIENCE);
  await page
    .getByRole('link', { name: /traced/ })
    .first()
    .click(PATIENCE);

  // Opened seconds after its capture: spans come later, and the page shows them by itself.
  const path = page.locator('ol.waterfall').first();
  for (const step of ['capture camera', 'encode camera', 'head .* inference', 'deliver wall']) {
    await path
      .getByText(new RegExp(`^${step}`))
      .first()
      .waitFor(PATIENCE);
  }
  const ageMs = (await values(page, 'figcaption data'))[0] ?? 0;
  const steps = await values(page, 'ol.waterfall >> nth=0 >> data.time');
  const sumMs = steps.reduce((sum, us) => sum + us, 0) / 1000;
  expect(Math.abs(sumMs - ageMs), `${steps.join(' + ')} µs of ${ageMs} ms`).toBeLessThan(
    0.05 * ageMs,
  );
  await page.screenshot({ path: join(SCREENS, 'frame-traced.png'), fullPage: true });
});

/** Of `data` elements. */
async function values(page: Page, selector: string): Promise<number[]> {
  const elements = await page.locator(selector).all();
  return Promise.all(elements.map(async (one) => Number(await one.getAttribute('value'))));
}
