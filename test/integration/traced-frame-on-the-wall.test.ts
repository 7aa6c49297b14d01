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
  const { ageMs, steps } = await shown(page);
  // The age is that at which it arrived, before anything was done with it.
  const sumMs = steps.slice(0, -1).reduce((sum, { us }) => sum + us, 0) / 1000;
  expect(steps.at(-1)?.name).toMatch(/^deliver /);
  const told = steps.map(({ name, us }) => `${name}: ${us} µs`).join(', ');
  expect(Math.abs(sumMs - ageMs), `${told}, of ${ageMs} ms`).toBeLessThan(0.05 * ageMs);
  await page.screenshot({ path: join(SCREENS, 'frame-traced.png'), fullPage: true });
});

interface Shown {
  readonly ageMs: number;
  readonly steps: readonly { readonly name: string; readonly us: number }[];
}

/** In one look: the page draws the path anew when more spans of it come. */
function shown(page: Page): Promise<Shown> {
  return page.locator('main').evaluate((main) => {
    const numberIn = (selector: string, part = main) =>
      Number(part.querySelector(selector)?.getAttribute('value'));
    const path = main.querySelector('ol.waterfall');
    const bars = [...(path?.querySelectorAll('li:has(data.time)') ?? [])];
    return {
      ageMs: numberIn('figcaption data'),
      steps: bars.map((bar) => ({
        name: bar.querySelector('.name')?.textContent ?? '',
        us: numberIn('data.time', bar),
      })),
    };
  });
}
