import type { Browser, Page } from 'playwright-core';
import { systemClock } from '#runtime/clock.ts';
import { cameraName } from '#test/fixtures/wall-scene.ts';

/** Milliseconds since somebody asked for the page. */
export interface Opening {
  readonly firstTileMs: number;
  readonly firstPictureMs: number;
  /** Every camera is in the list. */
  readonly allCamerasMs: number;
}

const KEYS = 'halfsightKeys';
const KEY_PAUSE_MS = 100;

/** In the page: from each key to the paint that follows the change of the search. */
const WATCH_KEYS = `
  window.${KEYS} = [];
  let pressedMs = 0;
  addEventListener('keydown', (event) => { pressedMs = event.timeStamp; }, true);
  addEventListener('input', () => {
    const sinceMs = pressedMs;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => window.${KEYS}.push(performance.now() - sinceMs);
      port2.postMessage('');
    });
  }, true);
`;

/** The page's policy forbids what is asked of it here: to evaluate text again and again. */
export const VISITOR = { viewport: { width: 1920, height: 1080 }, bypassCSP: true };

/** Opens the wall as somebody does who comes later, with an empty cache, and closes it. */
export async function openWall(
  browser: Browser,
  address: string,
  cameraCount: number,
): Promise<Opening> {
  const context = await browser.newContext(VISITOR);
  try {
    const page = await context.newPage();
    await page.goto(address, { waitUntil: 'commit' });
    const all = `${cameraCount.toLocaleString('en')} cameras`;
    const firstTileMs = await when(page, `document.querySelector('.tile')`);
    const firstPictureMs = await when(page, `document.querySelector('canvas[data-frame]')`);
    const allCamerasMs = await when(
      page,
      `document.querySelector('.toolbar-count')?.textContent.includes(${JSON.stringify(all)})`,
    );
    return { firstTileMs, firstPictureMs, allCamerasMs };
  } finally {
    await context.close();
  }
}

/** Looked at in each of the page's frames. */
async function when(page: Page, condition: string): Promise<number> {
  const expression = `(${condition}) ? performance.now() : 0`;
  const reached = await page.waitForFunction(expression, undefined, { polling: 'raf' });
  return Math.round((await reached.jsonValue()) as number);
}

/** Types and deletes the numbers of some cameras; milliseconds of each key. */
export async function typeSearches(page: Page, cameraCount: number): Promise<number[]> {
  await page.evaluate(WATCH_KEYS);
  await page.getByRole('searchbox').focus();
  for (let search = 0; search < 8; search++) {
    const name = cameraName(Math.floor(((search + 0.5) * cameraCount) / 8));
    const number = name.slice(name.indexOf('-') + 1);
    for (const key of number) await press(page, key);
    await page.getByRole('link', { name: new RegExp(`^${name} `) }).waitFor();
    for (const _ of number) await press(page, 'Backspace');
  }
  return page.evaluate(KEYS);
}

async function press(page: Page, key: string): Promise<void> {
  const count: number = await page.evaluate(`${KEYS}.length`);
  await page.keyboard.press(key);
  await page.waitForFunction(`${KEYS}.length > ${count}`);
  await systemClock.sleep(KEY_PAUSE_MS);
}
