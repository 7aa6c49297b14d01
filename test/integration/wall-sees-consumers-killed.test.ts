import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { readEnvironment } from '#runtime/settings.ts';
import { topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { openBrowser, shownOn } from '#test/fixtures/browser.ts';
import { WallProcess } from '#test/fixtures/wall-child.ts';
import { createTopics, openBroker, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

/** Agent, consumer and wall as users run them, with the bundle that comes with Halfsight. */
const { brokers, prefix } = sharedStack('wall');
const { bundleDirectory: bundle } = readEnvironment();
const CAMERAS = ['street', 'room'];

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 60_000 });

/** What is drawn of a camera. */
function pixels(page: Page, cameraId: string): Promise<string> {
  const tile = page.getByRole('link', { name: new RegExp(`^${cameraId} `) });
  return shownOn(tile.locator('canvas'));
}

it('every camera moves; killed consumers are missed; it goes on with new ones', async () => {
  await createTopics(openBroker(brokers), topicTable({ prefix, partitionCount: 2 }));
  const sources = CAMERAS.map((id) => `  - {id: ${id}, source: 'synthetic:${id}?seed=1', fps: 2}`);
  const config = ['agent: {id: agent-1, encoderWorkers: 1}', 'cameras:', ...sources].join('\n');
  const agent = new AgentProcess({ brokers, prefix, bundle, config });
  const wall = new WallProcess({ brokers, prefix, variables: { HALFSIGHT_BUNDLE: bundle } });
  onTestFinished(async () => {
    await agent.stop('SIGKILL');
    await wall.kill();
  });
  const variables = { HALFSIGHT_BUNDLE: bundle };
  const consumer = startInference(brokers, prefix, variables);
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(`http://${await wall.address}`);
  const move = async () => {
    for (const cameraId of CAMERAS) {
      const before = await pixels(page, cameraId);
      await eventually(() => pixels(page, cameraId)).not.toBe(before);
    }
  };
  await move();

  await consumer.kill();
  const notice = page.getByRole('status', { name: 'Notices' }).getByText('Consumers do not answer');
  await notice.waitFor({ timeout: 60_000 });
  await page.locator('.tile[data-old="true"]').first().waitFor({ timeout: 60_000 });

  startInference(brokers, prefix, variables);
  await notice.waitFor({ state: 'detached', timeout: 60_000 });
  await move();
  // What its server's policy forbids, for one.
  expect(complaints).toEqual([]);
});
