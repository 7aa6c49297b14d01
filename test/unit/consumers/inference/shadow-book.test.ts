import { describe, expect, it } from 'vitest';
import type {
  BatchOutput,
  EngineSettings,
  ShadowOutput,
} from '#consumers/inference/engine-protocol.ts';
import { ShadowBook } from '#consumers/inference/shadow-book.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { loadBundle } from '#models/bundle.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { ToldLog } from '#test/fixtures/told-log.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

const bundle = await loadBundle(TINY_BUNDLE);

function placed(version: string) {
  return { version, digest: version.repeat(64), directory: `/heads/detection-${version}` };
}

const SETTINGS: EngineSettings = {
  bundleDirectory: TINY_BUNDLE,
  heads: ['classification', 'detection'],
  provider: 'cpu',
  threads: 1,
  shadows: { detection: placed('2') },
};

const BOX = { classId: 0, label: 'car', score: 0.75, box: [0, 0, 1, 1] } as const;
const FOUND = { task: 'detection', detections: [BOX] } as const;
const CLASSES = { task: 'classification', classifications: [] } as const;
const NOW = { startUs: 0, endUs: 0 };
const took = (ms: number) => ({ startUs: 0, endUs: ms * 1000 });

/** Two frames, whose live heads took 1 ms and 4 ms. */
const LIVE: BatchOutput = {
  frames: [{ findings: [CLASSES, FOUND] }, { findings: [CLASSES, FOUND] }],
  decode: NOW,
  body: NOW,
  heads: [took(1), took(4)],
};

const SHADOW: ShadowOutput = { task: 'detection', findings: [FOUND, FOUND], interval: took(6) };

function setUp() {
  const clock = new ManualClock();
  const log = new ToldLog();
  const telemetry = new Telemetry();
  const options = { bundle, consumer: 'group@host-1', clock, logger: log, telemetry };
  const book = new ShadowBook(options);
  return { book, clock, log, telemetry };
}

describe('the book of shadows', () => {
  it('says which heads were compared, how they agree, and how long each took', async () => {
    const { book, clock, telemetry } = setUp();
    const listener = book.listenerOf(SETTINGS);
    const sinceTimeUs = clock.nowUs();
    expect(book.untold()).toEqual([]);
    await clock.advance(10);
    listener.onBatch(LIVE, [SHADOW]);
    expect(book.untold()).toEqual([
      {
        ...{ task: 'detection', liveVersion: '1', liveDigest: '' },
        ...{ shadowVersion: '2', shadowDigest: '2'.repeat(64), bundleDigest: bundle.digest },
        ...{ consumer: 'group@host-1', frames: 2, leftOut: 0, failed: 0 },
        sums: {
          ...{ live_boxes: 2, shadow_boxes: 2, matched: 2, iou: 2, score_diff: 0 },
          ...{ live_ms: 4, shadow_ms: 6 },
        },
        ...{ sinceTimeUs, timeUs: sinceTimeUs + 10_000 },
      },
    ]);
    expect(telemetry.snapshot()).toMatchObject({ 'frames-shadowed': 2 });
  });

  it('counts every frame that was not compared, with its reason', () => {
    const { book, telemetry } = setUp();
    const listener = book.listenerOf(SETTINGS);
    listener.onBatch(LIVE, 'left-out');
    // Its live head was shed.
    listener.onBatch(LIVE, []);
    listener.onBatch(LIVE, 'failed');
    listener.onBatch(LIVE, [{ task: 'detection', error: 'bad shape' }]);
    expect(book.untold()).toMatchObject([{ frames: 0, leftOut: 4, failed: 4, sums: {} }]);
    expect(telemetry.snapshot()).toMatchObject({
      ...{ 'frames-shadow-left-out': 4, 'frames-shadow-failed': 4 },
    });
  });

  it('compares nothing of a frame that could not be decoded', () => {
    const { book } = setUp();
    const refusal = { code: 'bitstream-malformed', message: 'no' } as const;
    const live = { ...LIVE, frames: [{ refusal }, { findings: [CLASSES, FOUND] }] };
    book.listenerOf(SETTINGS).onBatch(live, [SHADOW]);
    expect(book.untold()).toMatchObject([{ frames: 1, sums: { live_boxes: 1, live_ms: 4 } }]);
  });

  it('takes a clock that was set back for no time at all', () => {
    const { book } = setUp();
    const interval = { startUs: 1000, endUs: 0 };
    const live = { ...LIVE, heads: [interval, interval] };
    book.listenerOf(SETTINGS).onBatch(live, [{ ...SHADOW, interval }]);
    expect(book.untold()).toMatchObject([{ sums: { live_ms: 0, shadow_ms: 0 } }]);
  });

  it('goes on where the engine was replaced by one with the same two heads', () => {
    const { book } = setUp();
    book.listenerOf(SETTINGS).onBatch(LIVE, [SHADOW]);
    book.listenerOf(SETTINGS).onBatch(LIVE, [SHADOW]);
    expect(book.untold()).toMatchObject([{ frames: 4 }]);
  });

  it('has a page for each pair of heads, also for what a former engine still says', () => {
    const { book } = setUp();
    const former = book.listenerOf(SETTINGS);
    const replacements = { detection: placed('2') };
    const shadows = { detection: placed('3') };
    book.listenerOf({ ...SETTINGS, replacements, shadows }).onBatch(LIVE, [SHADOW]);
    former.onBatch(LIVE, [SHADOW]);
    const pairs = book
      .untold()
      .map(({ liveVersion, shadowVersion }) => [...[liveVersion, shadowVersion]]);
    expect(pairs.sort()).toEqual([
      ['1', '2'],
      ['2', '3'],
    ]);
  });

  it('tells what has changed since it was published, and only that', () => {
    const { book } = setUp();
    const listener = book.listenerOf(SETTINGS);
    listener.onBatch(LIVE, [SHADOW]);
    const figures = book.untold();
    listener.onBatch(LIVE, [SHADOW]);
    book.told(figures);
    expect(book.untold()).toMatchObject([{ frames: 4 }]);
    book.told(book.untold());
    expect(book.untold()).toEqual([]);
  });

  it('says once why a shadow was refused, and counts nothing more of it', () => {
    const { book, log } = setUp();
    const listener = book.listenerOf(SETTINGS);
    const refused = [{ directory: placed('2').directory, message: 'no model' }];
    listener.onRefused(refused);
    listener.onRefused(refused);
    listener.onRefused([{ directory: '/heads/other', message: 'no model' }]);
    listener.onBatch(LIVE, 'left-out');
    expect(log.lines).toEqual([
      {
        ...{ event: 'head-refused', task: 'detection', role: 'shadow' },
        ...{ directory: '/heads/detection-2', error: 'no model' },
      },
    ]);
    expect(book.untold()).toEqual([]);
  });
});
