import { readFileSync } from 'node:fs';
import type { CDPSession, Page } from 'playwright-core';
import type { FleetAnswer } from '#consumers/dashboard/protocol.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { openBrowser } from '#test/fixtures/browser.ts';
import { WallProcess } from '#test/fixtures/wall-child.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { holdingOf } from '#test/soak/process-watch.ts';
import { Load, type LoadOptions } from './load.ts';
import { type Opening, openWall, typeSearches, VISITOR } from './visits.ts';

export interface WallLoadOptions extends LoadOptions {
  readonly minutes: number;
}

/** What passed in ten seconds, or what is held at their end. */
interface Sample {
  /** Of the page's main thread, 0 to 1. */
  readonly busy: number;
  /** Of it: in scripts. */
  readonly scripts: number;
  readonly drawnPerSecond: number;
  readonly pageHeapMiB: number;
  /** Of one core, 0 to 1. */
  readonly serverCpu: number;
  readonly serverMiB: number;
  readonly writtenPerSecond: number;
  /** From capture to arrival at the server, 95th percentile of the last seconds. */
  readonly ageMs: number;
}

export interface WallLoadReport extends WallLoadOptions {
  readonly tilesInView: number;
  readonly busy: { readonly p50: number; readonly max: number };
  readonly drawnPerSecond: { readonly p50: number; readonly min: number };
  readonly serverCpu: { readonly p50: number; readonly max: number };
  readonly serverMiB: { readonly first: number; readonly last: number; readonly max: number };
  readonly pageHeapMiB: { readonly first: number; readonly last: number };
  readonly writtenPerSecond: number;
  readonly ageMs: { readonly p50: number; readonly max: number };
  /** Of a page that is opened while the other one is, the slowest of some. */
  readonly opening: Opening;
  /** From a key in the search to the paint of the list that it leads to. */
  readonly keyMs: { readonly p50: number; readonly p95: number };
  readonly isFine: boolean;
}

const PREFIX = 'wall-load';
const OPENINGS = 3;
const START_MS = 10_000;
const SAMPLE_MS = 10_000;
const BUSY_MAX = 0.5;
/** As https://web.dev/articles/inp has it: beyond, a page is not good at answering. */
const KEY_MS_MAX = 200;
/** As Linux counts processor time on all usual machines; see sysconf(_SC_CLK_TCK). */
const TICKS_PER_SECOND = 100;

export async function runWallLoad(
  options: WallLoadOptions,
  say: (line: string) => void,
): Promise<WallLoadReport> {
  const stack = await startTestStack();
  const settings = { brokers: stack.brokers, clientId: PREFIX, tls: undefined, sasl: undefined };
  const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  const topics = topicTable({ prefix: PREFIX, partitionCount: 8 });
  await broker.ensureTopics(topicSpecs(topics));
  const wall = new WallProcess({ brokers: stack.brokers, prefix: PREFIX });
  const load = await Load.open(broker, topics, options);
  const browser = await openBrowser();
  try {
    const page = await browser.newPage(VISITOR);
    load.start();
    const address = `http://${await wall.address}/?size=small`;
    await page.goto(address);
    await page.locator('canvas[data-frame]').first().waitFor();
    await systemClock.sleep(START_MS);
    const tilesInView = await page.locator('canvas[data-frame]').count();
    say(`${tilesInView} tiles in view of ${options.cameraCount} cameras`);
    const samples: Sample[] = [];
    const meter = await Meter.open({ page, address, pid: wall.pid, load });
    const endMs = systemClock.monotonicMs() + options.minutes * 60_000;
    while (systemClock.monotonicMs() < endMs) {
      await systemClock.sleep(SAMPLE_MS);
      const sample = await meter.sample();
      samples.push(sample);
      say(JSON.stringify(sample));
    }
    const keysMs = await typeSearches(page, options.cameraCount);
    const openings: Opening[] = [];
    for (let opening = 0; opening < OPENINGS; opening++) {
      openings.push(await openWall(browser, address, options.cameraCount));
    }
    return report({ options, tilesInView, samples, keysMs, openings });
  } finally {
    await load.stop();
    await browser.close();
    await wall.stop();
    await broker.close();
    await stack.stop();
  }
}

interface Measured {
  readonly page: Page;
  readonly address: string;
  readonly pid: number;
  readonly load: Load;
}

interface Reading {
  readonly timeMs: number;
  readonly taskSeconds: number;
  readonly scriptSeconds: number;
  readonly heapBytes: number;
  readonly drawn: number;
  readonly serverSeconds: number;
  readonly written: number;
}

/** Differences between readings. */
class Meter {
  readonly #measured: Measured;
  readonly #session: CDPSession;
  #last: Reading;

  static async open(measured: Measured): Promise<Meter> {
    const session = await measured.page.context().newCDPSession(measured.page);
    await session.send('Performance.enable');
    return new Meter(measured, session, await read(measured, session));
  }

  constructor(measured: Measured, session: CDPSession, first: Reading) {
    this.#measured = measured;
    this.#session = session;
    this.#last = first;
  }

  async sample(): Promise<Sample> {
    const before = this.#last;
    const now = await read(this.#measured, this.#session);
    this.#last = now;
    const seconds = (now.timeMs - before.timeMs) / 1_000;
    const share = (what: 'taskSeconds' | 'scriptSeconds' | 'serverSeconds') =>
      rounded((now[what] - before[what]) / seconds, 3);
    return {
      busy: share('taskSeconds'),
      scripts: share('scriptSeconds'),
      drawnPerSecond: rounded((now.drawn - before.drawn) / seconds, 1),
      pageHeapMiB: rounded(now.heapBytes / 2 ** 20, 1),
      serverCpu: share('serverSeconds'),
      serverMiB: rounded(holdingOf(this.#measured.pid, 0).memoryMiB, 1),
      writtenPerSecond: Math.round((now.written - before.written) / seconds),
      ageMs: await ageOf(this.#measured.address),
    };
  }
}

async function read({ page, pid, load }: Measured, session: CDPSession): Promise<Reading> {
  const { metrics } = await session.send('Performance.getMetrics');
  const value = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return {
    timeMs: systemClock.monotonicMs(),
    taskSeconds: value('TaskDuration'),
    scriptSeconds: value('ScriptDuration'),
    heapBytes: value('JSHeapUsedSize'),
    drawn: await page.evaluate('halfsight.drawn'),
    serverSeconds: processorSeconds(pid),
    written: load.written,
  };
}

async function ageOf(address: string): Promise<number> {
  const response = await fetch(new URL('/api/fleet', address));
  const { fleet } = (await response.json()) as FleetAnswer;
  return Math.round(fleet.ageMs?.p95 ?? 0);
}

/** Of user and system, from /proc; Linux only. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

interface Findings {
  readonly options: WallLoadOptions;
  readonly tilesInView: number;
  readonly samples: readonly Sample[];
  readonly keysMs: readonly number[];
  readonly openings: readonly Opening[];
}

function report(findings: Findings): WallLoadReport {
  const { options, tilesInView, samples, openings } = findings;
  const of = (name: keyof Sample) => samples.map((sample) => sample[name]);
  const sorted = (name: keyof Sample) => of(name).toSorted((a, b) => a - b);
  const p50 = (name: keyof Sample) => sorted(name)[Math.floor(samples.length / 2)] ?? 0;
  const last = (name: keyof Sample) => of(name).at(-1) ?? 0;
  const busy = { p50: p50('busy'), max: Math.max(...of('busy')) };
  const drawnPerSecond = { p50: p50('drawnPerSecond'), min: Math.min(...of('drawnPerSecond')) };
  const keysMs = findings.keysMs.toSorted((a, b) => a - b);
  const keyAt = (share: number) => rounded(keysMs[Math.floor(share * keysMs.length)] ?? 0, 1);
  const keyMs = { p50: keyAt(0.5), p95: keyAt(0.95) };
  const slowest = (name: keyof Opening) => Math.max(...openings.map((opening) => opening[name]));
  return {
    ...options,
    tilesInView,
    busy,
    drawnPerSecond,
    serverCpu: { p50: p50('serverCpu'), max: Math.max(...of('serverCpu')) },
    serverMiB: {
      first: of('serverMiB')[0] ?? 0,
      last: last('serverMiB'),
      max: Math.max(...of('serverMiB')),
    },
    pageHeapMiB: { first: of('pageHeapMiB')[0] ?? 0, last: last('pageHeapMiB') },
    writtenPerSecond: p50('writtenPerSecond'),
    ageMs: { p50: p50('ageMs'), max: Math.max(...of('ageMs')) },
    opening: {
      firstTileMs: slowest('firstTileMs'),
      firstPictureMs: slowest('firstPictureMs'),
      allCamerasMs: slowest('allCamerasMs'),
    },
    keyMs,
    isFine: busy.p50 < BUSY_MAX && drawnPerSecond.min > 0 && keyMs.p95 < KEY_MS_MAX,
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
