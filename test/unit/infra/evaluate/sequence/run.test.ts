import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Detector } from '#infra/evaluate/detector.ts';
import type { Letterboxed } from '#infra/evaluate/raster.ts';
import { ClipReader, contentOf } from '#infra/evaluate/sequence/clip-reader.ts';
import { decodeClip, listClips } from '#infra/evaluate/sequence/clips.ts';
import { runFfmpeg } from '#infra/evaluate/sequence/ffmpeg.ts';
import { clipTruth, measureClip, type SequenceRow } from '#infra/evaluate/sequence/measure.ts';
import { pixelMethods } from '#infra/evaluate/sequence/pixel-methods.ts';
import type { SequencesReport } from '#infra/evaluate/sequence/report.ts';
import { runSequences } from '#infra/evaluate/sequence/run.ts';
import { codeVideo, missingVideoCodecs } from '#infra/evaluate/sequence/video-codecs.ts';
import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { TINY_BUNDLE } from '../../../models/tiny.ts';

const FRAMES = 6;
let folder: string;
let clips: string;

/** Dark, with the top left quarter as bright as said, at 10 frames a second for 1.2 seconds. */
async function makeClip(path: string, quarter: string): Promise<void> {
  const box = `drawbox=w=80:h=60:color=${quarter}:t=fill`;
  await runFfmpeg([
    ...['-hide_banner', '-loglevel', 'error', '-f', 'lavfi'],
    ...['-i', `color=0x101010:size=160x120:rate=10:duration=1.2`, '-vf', `format=rgb24,${box}`],
    ...['-c:v', 'ffv1', path],
  ]);
}

/** Sees a person where the quarter is bright, as the tiny bundle's head does. */
const brightnessDetector: Detector = {
  async detect({ pixels, content }: Letterboxed, scoreMin) {
    const column = content.x + Math.round(content.width / 4);
    const row = content.y + Math.round(content.height / 4);
    const score = (pixels[(row * 416 + column) * 3] ?? 0) / 256;
    const box = [0, 0, 0.5, 0.5] as const;
    return score < scoreMin ? [] : [{ classId: 0, label: 'person', score, box }];
  },
  close: async () => undefined,
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'halfsight-sequences-'));
  clips = join(folder, 'clips');
  mkdirSync(clips);
  await makeClip(join(clips, 'bright.mkv'), '0xf0f0f0');
});

afterAll(() => rmSync(folder, { recursive: true }));

async function run(clipsDirectory: string, bundles: readonly string[], limit?: number) {
  const said: string[] = [];
  const outDirectory = mkdtempSync(join(folder, 'out-'));
  const ok = await runSequences(
    {
      bundleDirectories: bundles,
      clipsDirectory,
      detectorFile: 'detector.onnx',
      framesPerSecond: 5,
      frameCountMax: limit,
      outDirectory,
    },
    {
      clock: systemClock,
      say: (line) => said.push(line),
      progress: () => undefined,
      open: async () => brightnessDetector,
    },
  );
  const read = (name: string) => readFileSync(join(outDirectory, name), 'utf8');
  const report = JSON.parse(read('sequences.json')) as SequencesReport;
  return { ok, said, report, markdown: read('sequences.md') };
}

describe('a whole run', () => {
  let result: Awaited<ReturnType<typeof run>>;
  const of = (clip: string, method: string, setting = ''): SequenceRow[] =>
    result.report.rows.filter(
      (row) => row.clip === clip && row.method === method && row.setting.startsWith(setting),
    );

  beforeAll(async () => {
    result = await run(clips, [TINY_BUNDLE, TINY_BUNDLE]);
  });

  it('measures each bundle at each rate point, with what its heads report', () => {
    const { ok, report } = result;
    expect(ok).toBe(true);
    expect(report.bundles).toMatchObject([{ name: 'tiny' }, { name: 'tiny' }]);
    const rows = of('bright.mkv', 'tiny');
    expect(rows).toHaveLength(4);
    // Bundles do not know of each other, nor rows of the rows before.
    expect(rows.slice(2)).toEqual(rows.slice(0, 2));
    for (const { recordBytes, codecBytes, maskShares, ...row } of rows) {
      expect(row).toMatchObject({ frames: FRAMES, ap50: 1, ap50ByClass: { person: 1 } });
      expect(row.detections).toEqual({ person: FRAMES });
      expect(row.topClasses).toEqual({ dark: FRAMES });
      expect(maskShares?.bright).toBeCloseTo(0.25, 1);
      const around = (recordBytes?.mean ?? 0) - (codecBytes?.mean ?? 0);
      expect(around).toBeGreaterThan(80);
      expect(around).toBeLessThan(200);
      // A still scene: every frame is the first.
      expect(codecBytes).toMatchObject({ median: codecBytes?.mean, max: codecBytes?.mean });
    }
  });

  it('measures video as streams and pictures as records, on the same frames', () => {
    const videos = ['H.264', 'H.265'].map((name) => of('bright.mkv', name, 'side 416'));
    const jpeg = of('bright.mkv', 'jpeg', 'side 416, quality 40')[0];
    expect(jpeg).toMatchObject({ frames: FRAMES, ap50: 1, topClasses: null });
    for (const rows of videos) {
      expect(rows).toHaveLength(4);
      for (const row of rows) {
        expect(row).toMatchObject({ frames: FRAMES, ap50: 1, recordBytes: null, remark: '' });
        expect(row.codecBytes).toMatchObject({ median: null, max: null });
      }
      // Nothing moves, so the frames before are all there is to know.
      const [fine, , , coarse] = rows.map(({ codecBytes }) => codecBytes?.mean ?? 0);
      expect(fine).toBeLessThan((jpeg?.codecBytes?.mean ?? 0) / 2);
      expect(coarse).toBeLessThanOrEqual(fine ?? 0);
      expect(coarse).toBeGreaterThan(0);
    }
    expect(of('bright.mkv', 'unsplit')).toMatchObject([{ ap50: 1, codecBytes: null }]);
  });

  it('says in words what kind of comparison this is, and in JSON what came out', () => {
    const { markdown, said, report } = result;
    expect(markdown).toContain(
      'H.264 and H.265 use the frames before; the bundle, JPEG and WebP do',
    );
    expect(markdown).toContain('person 6');
    const last = JSON.parse(said.at(-1) ?? '');
    expect(last.failedClips).toEqual([]);
    expect(last.rows).toHaveLength(report.rows.length);
  });
});

describe('what goes wrong', () => {
  it('leaves out a clip that is none, and says so', async () => {
    const other = mkdtempSync(join(folder, 'broken-'));
    writeFileSync(join(other, 'broken.mp4'), 'this is no video');
    const { ok, report, said } = await run(other, [TINY_BUNDLE]);
    expect(ok).toBe(false);
    expect(report.failedClips).toMatchObject([{ name: 'broken.mp4' }]);
    expect(said.join('\n')).toContain('broken.mp4 was left out: ');
    expect(report.failedClips[0]?.reason).toContain('Invalid data found');
    // Reports are shown to others.
    expect(report.failedClips[0]?.reason).not.toContain(folder);
  });

  it('refuses a folder without clips', () => {
    expect(() => listClips(TINY_BUNDLE)).toThrow('holds no video file');
    expect(() => listClips('/nowhere')).toThrow('no such file');
  });

  it('has no AP50 of a clip in which the detector sees nothing', async () => {
    const path = join(folder, 'dark.mkv');
    await makeClip(path, '0x181818');
    const options = { framesPerSecond: 5, frameCountMax: undefined };
    const reader = new ClipReader({ name: 'dark.mkv', path }, options);
    const truth = await clipTruth(reader, brightnessDetector);
    const bundle = await loadBundle(TINY_BUNDLE);
    const opponents = { detector: brightnessDetector, missingVideoCodecs: new Map(), bundle };
    const remark = 'no AP50: the detector sees 0 boxes in the clip, of no class 5';
    for (const method of pixelMethods(opponents)
      .filter(({ name }) => name !== 'H.265')
      .slice(0, 2)) {
      const row = await measureClip(method, reader, truth);
      expect(row).toMatchObject({ frames: FRAMES, ap50: null, remark, detections: {} });
    }
  });

  it('has a row for a codec that ffmpeg lacks', async () => {
    const missing = new Map([['H.265', 'this ffmpeg was built without libx265']] as const);
    const bundle = await loadBundle(TINY_BUNDLE);
    const options = { detector: brightnessDetector, missingVideoCodecs: missing, bundle };
    const rows = pixelMethods(options).filter(({ name }) => name === 'H.265');
    expect(rows).toMatchObject([
      { run: undefined, remark: 'this ffmpeg was built without libx265' },
    ]);
  });
});

describe('parts', () => {
  const input = { width: 64, height: 64, fill: [1, 2, 3] } as const;

  it('takes the frames that a camera would, and no more than asked for', async () => {
    const [bright] = listClips(clips);
    if (bright === undefined) throw new Error('no clip');
    const options = { input, framesPerSecond: 5, frameCountMax: undefined };
    const frames = await decodeClip(bright, options);
    expect(frames).toHaveLength(FRAMES);
    const [first] = frames;
    expect(first?.source).toEqual({ width: 160, height: 120 });
    expect(first?.content).toEqual({ x: 0, y: 8, width: 64, height: 48 });
    expect([...(first?.pixels.subarray(0, 3) ?? [])]).toEqual([1, 2, 3]);
    const content = first && contentOf(first, input);
    expect(content).toMatchObject({ width: 64, height: 48 });
    expect(content?.pixels.slice(0, 3)).toEqual(Uint8Array.of(240, 240, 240));
    expect(content?.pixels.slice(-3)).toEqual(Uint8Array.of(16, 16, 16));
    expect(await decodeClip(bright, { ...options, frameCountMax: 2 })).toHaveLength(2);
  });

  it('gives back as many frames as a video codec got, in order', async () => {
    const missing = await missingVideoCodecs();
    const greys = [40, 120, 200];
    const frames = greys.map((grey) => ({
      ...{ pixels: new Uint8Array(64 * 32 * 3).fill(grey), width: 64, height: 32 },
    }));
    for (const codec of ['H.264', 'H.265'] as const) {
      if (missing.has(codec)) continue;
      const choice = { codec, crf: 24, width: 32, height: 16, framesPerSecond: 5 };
      const { bytes, decoded } = await codeVideo(frames, choice);
      expect(bytes).toBeGreaterThan(0);
      expect(decoded.map(({ width, height }) => [width, height])).toEqual(
        greys.map(() => [32, 16]),
      );
      for (const [index, { pixels }] of decoded.entries()) {
        expect(Math.abs((pixels[100] ?? 0) - (greys[index] ?? 0))).toBeLessThan(8);
      }
    }
  });
});
