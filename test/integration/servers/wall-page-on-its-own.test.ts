import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { openBrowser, seriousViolations, shownOn } from '#test/fixtures/browser.ts';
import { WallPlayer, type WallPlayerOptions } from '#test/fixtures/wall-player.ts';
import { cameraName, resultsAt } from '#test/fixtures/wall-scene.ts';

/**
 * The wall's page in a real browser, on a server that plays a made-up fleet: what its own code is
 * for, and what only a browser can judge. Pictures of each page are left in .halfsight/screens.
 */

const SCREENS = join(import.meta.dirname, '..', '..', '..', '.halfsight', 'screens');
const FRAME = resultsAt(3, 1_700_000_000_000).frameId;
const DESKTOP = { viewport: { width: 1440, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 } };

let browser: Browser;
const players: WallPlayer[] = [];
/** What the page or the browser complained about: scripts that failed, what the policy forbids. */
let complaints: string[] = [];

beforeAll(async () => {
  mkdirSync(SCREENS, { recursive: true });
  browser = await openBrowser();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  for (const player of players.splice(0)) await player.stop();
});
afterAll(() => browser.close());

async function play(options: Partial<WallPlayerOptions> = {}): Promise<WallPlayer> {
  const player = new WallPlayer({ cameraCount: 48, ...options });
  players.push(player);
  await player.start();
  return player;
}

async function open(url: string, options: BrowserContextOptions = DESKTOP): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A server that is away, a missing answer: the page says so itself.
    const isRequest = /Failed to load resource|WebSocket connection/.test(message.text());
    if (message.type() === 'error' && !isRequest) complaints.push(message.text());
  });
  await page.goto(url);
  return page;
}

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 30_000 });
const tile = (page: Page, index: number) =>
  page.getByRole('link', { name: new RegExp(`^${cameraName(index)} `) });
const picture = (page: Page, index: number) => tile(page, index).locator('canvas');
const shown = (page: Page, index: number) => shownOn(picture(page, index));
const focused = (page: Page): Promise<string> =>
  page.evaluate(
    "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.trim()",
  );
/** Of an image that the browser has and could read; 0 of another. */
const widthOf = (image: { readonly naturalWidth: number }) => image.naturalWidth;
const notice = (page: Page, text: string) =>
  page.getByRole('status', { name: 'Notices' }).getByText(text);

describe('the wall', () => {
  it('draws every camera that has results, and again with each frame', async () => {
    const page = await open((await play({ cameraCount: 20 })).url);
    const online = Array.from({ length: 20 }, (_, index) => index).filter((index) => {
      return ![7, 13, 18].includes(index);
    });
    const before = new Map<number, string>();
    for (const index of online) before.set(index, await shown(page, index));
    for (const index of online) {
      await eventually(() => shown(page, index)).not.toBe(before.get(index));
    }
    await eventually(() => tile(page, 7).innerText()).toContain('connection refused');
    await eventually(() => tile(page, 18).innerText()).toContain('ended');
    expect(complaints).toEqual([]);
  });

  it('draws and asks for the tiles in view, of a thousand', async () => {
    const player = await play({ cameraCount: 1_000 });
    const page = await open(player.url);
    await tile(page, 0).waitFor();
    expect(await page.locator('.tile').count()).toBeLessThan(40);
    await eventually(() => player.watched).toContain(cameraName(0));
    expect(player.watched.length).toBeLessThan(40);
    await page.evaluate('scrollTo(0, document.body.scrollHeight)');
    await shown(page, 999);
    expect(player.watched).not.toContain(cameraName(0));
    expect(await page.locator('.tile').count()).toBeLessThan(40);
  });

  it('shows what is searched for, and keeps it in the address', async () => {
    const page = await open((await play()).url);
    await page.getByRole('searchbox').fill('agent-2 dog');
    await page.getByLabel('State').selectOption('online');
    await eventually(() => page.locator('.toolbar-count').innerText()).toMatch(/^\d+ of 48/);
    await page.locator('.tile-id').first().waitFor();
    const ids = await page.locator('.tile-id').allInnerTexts();
    expect(ids.length).toBeGreaterThan(0);
    await page.reload();
    await eventually(() => page.locator('.tile-id').allInnerTexts()).toEqual(ids);
    await page.getByRole('searchbox').fill('nothing like it');
    await page.getByText('No camera is as you want it').waitFor();
    expect(complaints).toEqual([]);
  });

  it('marks the cameras that send pictures, and shows the last one of these alone', async () => {
    const page = await open((await play({ cameraCount: 12 })).url);
    await tile(page, 3).getByText('sends pictures').waitFor();
    expect(await page.locator('.tile').getByText('sends pictures').count()).toBe(1);
    await page.screenshot({ path: join(SCREENS, 'wall-pictures.png') });
    await tile(page, 3).click();
    await page.getByRole('heading', { name: 'This camera sends pictures' }).waitFor();
    const image = page.getByRole('img', { name: new RegExp(`^What ${cameraName(3)} saw at`) });
    await eventually(() => image.evaluate(widthOf)).toBe(160);
    await page.getByText(/\d s ago$/).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.goto(`${new URL(page.url()).origin}/cameras/${cameraName(4)}`);
    await page.getByRole('heading', { name: 'Recent frames' }).waitFor();
    expect(await page.getByText('sends pictures').count()).toBe(0);
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it('fades what is old, and says how old it is', async () => {
    const player = await play({ cameraCount: 4 });
    const page = await open(player.url);
    await shown(page, 0);
    player.isSilent = true;
    await tile(page, 0)
      .getByText(/\d s old/)
      .waitFor();
    await eventually(() => page.locator('.tile[data-old="true"]').count()).toBe(4);
    player.isSilent = false;
    await eventually(() => page.locator('.tile[data-old="true"]').count()).toBe(0);
  });
});

describe('when something is wrong', () => {
  it('the server goes away: says so, connects again by itself, and goes on', async () => {
    const player = await play({ cameraCount: 4 });
    const page = await open(player.url);
    await shown(page, 0);
    await player.stop();
    await notice(page, 'No connection to the server since').waitFor();
    await page.screenshot({ path: join(SCREENS, 'notice-server-away.png') });
    const before = await shown(page, 0);
    await player.start();
    await notice(page, 'No connection').waitFor({ state: 'detached' });
    await eventually(() => shown(page, 0)).not.toBe(before);
    expect(complaints).toEqual([]);
  });

  it('tells what the server tells of, and leads to the camera that it is about', async () => {
    const player = await play({ cameraCount: 12 });
    const sinceUs = systemClock.nowUs() - 7e6;
    player.trouble = {
      troubles: [
        { severity: 'critical', text: 'Consumers do not answer. 12 frames wait.', sinceUs },
        { severity: 'warning', text: 'It is offline.', sinceUs, cameraId: cameraName(7) },
        { severity: 'warning', text: 'And this.', sinceUs },
      ],
    };
    const page = await open(player.url);
    await notice(page, 'Consumers do not answer').waitFor();
    await page.getByText('1 more').waitFor();
    await page.screenshot({ path: join(SCREENS, 'notice-consumers-silent.png') });
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('link', { name: cameraName(7), exact: true }).click();
    await page.getByRole('heading', { name: cameraName(7) }).waitFor();
    player.trouble = {};
    await notice(page, 'Consumers').waitFor({ state: 'detached' });
  });

  it('spans come later than the frame: shows them by itself', async () => {
    const player = await play();
    player.areSpansLate = true;
    const page = await open(`${player.url}/frames/${resultsAt(2, 1_700_000_000_000).frameId}`);
    await page.getByText('No spans of this frame have come').waitFor();
    player.areSpansLate = false;
    await page.locator('.waterfall .total').waitFor();
    expect(complaints).toEqual([]);
  });

  it('an address that leads nowhere, a camera that is not there', async () => {
    const player = await play();
    const page = await open(`${player.url}/cameras/nobody`);
    await page.getByText('There is no camera nobody here.').waitFor();
    await page.goto(`${player.url}/nothing/here`);
    await page.getByText('There is nothing at /nothing/here').waitFor();
    await page.getByRole('link', { name: 'To the wall' }).click();
    await tile(page, 0).waitFor();
  });

  it('a token is wanted: asks for it, and takes the right one only', async () => {
    const page = await open((await play({ token: 'sesame' })).url);
    await page.getByLabel('Token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('That is not the token').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.screenshot({ path: join(SCREENS, 'token.png') });
    await page.getByLabel('Token').fill('sesame');
    await page.keyboard.press('Enter');
    await shown(page, 0);
    await page.reload();
    await shown(page, 0);
    expect(complaints).toEqual([]);
  });
});

describe('by keys alone', () => {
  it('search, tiles, camera and back again, to where one was', async () => {
    const page = await open((await play()).url);
    await tile(page, 0).waitFor();
    await page.keyboard.press('/');
    await eventually(() => focused(page)).toBe('Search name, label or agent');
    await page.keyboard.type('cam');
    await page.keyboard.press('Escape');
    for (const wanted of ['State', 'Sees', 'Order', 'Tiles']) {
      await page.getByLabel(wanted, { exact: true }).focus();
      expect(await focused(page)).toBe(wanted);
    }
    await page.keyboard.press('Tab');
    expect(await focused(page)).toMatch(/^cam-0001\s/);
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowLeft']) {
      await page.keyboard.press(key);
    }
    await eventually(() => focused(page)).toMatch(/^cam-0016\s/);
    const outline = 'getComputedStyle(document.activeElement).outlineStyle';
    expect(await page.evaluate(outline)).toBe('solid');
    await page.keyboard.press('End');
    await eventually(() => focused(page)).toMatch(/^cam-0048\s/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'cam-0048' }).waitFor();
    await page.keyboard.press('Escape');
    await eventually(() => focused(page)).toMatch(/^cam-0048\s/);
    expect(complaints).toEqual([]);
  });

  it('pages, theme and the list of keys', async () => {
    const page = await open((await play()).url);
    await tile(page, 0).waitFor();
    const theme = () => page.evaluate('document.documentElement.dataset.theme');
    expect(await theme()).toBe('light');
    await page.keyboard.press('t');
    await eventually(theme).toBe('dark');
    await page.reload();
    await tile(page, 0).waitFor();
    expect(await theme()).toBe('dark');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.screenshot({ path: join(SCREENS, 'keys.png') });
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('f');
    await page.getByRole('heading', { name: 'Fleet', exact: true }).waitFor();
    await page.keyboard.press('w');
    await tile(page, 0).waitFor();
  });

  it('everything on the wall can be reached, in the order in which it is read', async () => {
    const page = await open((await play()).url);
    await tile(page, 0).waitFor();
    const reached: string[] = [];
    for (let press = 0; press < 12; press++) {
      await page.keyboard.press('Tab');
      reached.push((await focused(page)).split(/,|\n/)[0] ?? '');
    }
    expect(reached).toEqual([
      ...['Skip to content', 'Halfsight', 'Wall', 'Fleet', 'Dark', 'Keys'],
      ...['Search name', 'State', 'Sees', 'Order', 'Tiles', 'cam-0001'],
    ]);
  });
});

describe.each([
  ['wall', '/', 'heading', 'Wall'],
  ['camera', `/cameras/${cameraName(3)}`, 'heading', 'Recent frames'],
  ['frame', `/frames/${FRAME}`, 'heading', /^Bitstream/],
  ['fleet', '/fleet', 'heading', /^Jobs/],
] as const)('the page of the %s', (name, path, role, landmark) => {
  it.each([
    ['desktop', DESKTOP],
    ['dark', { ...DESKTOP, colorScheme: 'dark' }],
    ['phone', PHONE],
  ] as const)(
    'is there at its address, and nothing serious is wrong with it: %s',
    async (look, options) => {
      const player = await play();
      const page = await open(player.url + path, options);
      await page.getByRole(role, { name: landmark }).waitFor();
      // The fleet has no picture.
      if (name !== 'fleet') await page.locator('canvas[data-frame]').first().waitFor();
      expect(await seriousViolations(page)).toEqual([]);
      const wide = 'document.documentElement.scrollWidth - innerWidth';
      expect(await page.evaluate(wide), 'columns beyond the window').toBeLessThanOrEqual(0);
      await page.screenshot({
        path: join(SCREENS, `${name}-${look}.png`),
        fullPage: name !== 'wall',
      });
      await page.reload();
      await page.getByRole(role, { name: landmark }).waitFor();
      expect(complaints).toEqual([]);
    },
  );
});
