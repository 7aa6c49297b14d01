import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { describeMachine } from '../report.ts';
import type { SequenceRow, Spread } from './measure.ts';
import { TRUTH_BOXES_MIN } from './measure.ts';
import { DETECTOR_SCORE_MIN } from './pixel-methods.ts';
import { markdownTable, numberCell } from './table.ts';
import { KEYFRAME_INTERVAL_S, VIDEO_PRESET } from './video-codecs.ts';

export interface FailedClip {
  readonly name: string;
  readonly reason: string;
}

/** All of sequences.json. */
export type SequencesReport = ReturnType<typeof describeMachine> & {
  readonly bundles: readonly { readonly name: string; readonly digest: string }[];
  readonly detector: string | null;
  readonly framesPerSecond: number;
  readonly frameCountMax: number | null;
  readonly notes: readonly string[];
  readonly rows: readonly SequenceRow[];
  readonly failedClips: readonly FailedClip[];
};

export const NOTES: readonly string[] = [
  'H.264 and H.265 use the frames before; the bundle, JPEG and WebP do not: each of their frames' +
    ' can be decoded alone, in any order, after any loss. On a still scene that costs them much.',
  'kB are 1000 bytes, a frame. Record: the whole value of a Kafka record; codec: the part of it' +
    ' that the codec made. Video: the elementary stream divided by its frames, to be compared' +
    ' with codec kB; in Kafka each of its frames would have a record around it too.',
  `Video: ffmpeg's libx264 and libx265, preset ${VIDEO_PRESET}, tune zerolatency, no B frames,` +
    ` one reference, a keyframe every ${KEYFRAME_INTERVAL_S} s and nowhere else, constant rate` +
    ' factor (crf), 4:2:0; messages of the encoder about itself (SEI) are not counted.',
  'All rows start from the same frames, as the camera agent decodes and scales them: longest side' +
    ' 416. Side 256 is scaled down again. What is decoded is scaled to 416 for the detector.',
  "AP50 compares with the detector's own boxes on the uncompressed frames, of a score from" +
    ` ${DETECTOR_SCORE_MIN}: COCO's average precision at IoU 0.5, the mean over the classes with` +
    ` ${TRUTH_BOXES_MIN} such boxes or more in the clip; a clip without such a class has no` +
    ' figure. It says how well a row copies the detector, not how right either is. The' +
    " bundle's detector is another network, so it would be below 1 without any compression.",
  "Reports: the bundle's detections from the score that bundle.json asks for, the detector's from" +
    ` ${DETECTOR_SCORE_MIN}, over all frames; frames by their best class; the part of the picture` +
    ' that a mask covers, mean over all frames.',
];

/** Writes sequences.json and sequences.md. */
export function writeSequences(report: SequencesReport, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), `${text}\n`);
  write('sequences.json', JSON.stringify(report, null, 1));
  write('sequences.md', sequencesMarkdown(report));
}

export function bytesTable(rows: readonly SequenceRow[]): string {
  return markdownTable(rows, [
    ['method', ({ method }) => method],
    ['setting', ({ setting }) => setting],
    ['frames', ({ frames }) => String(frames)],
    ['record kB, mean', ({ recordBytes }) => kilobytes(recordBytes, 'mean')],
    ['median', ({ recordBytes }) => kilobytes(recordBytes, 'median')],
    ['max', ({ recordBytes }) => kilobytes(recordBytes, 'max')],
    ['codec kB, mean', ({ codecBytes }) => kilobytes(codecBytes, 'mean')],
    ['median', ({ codecBytes }) => kilobytes(codecBytes, 'median')],
    ['max', ({ codecBytes }) => kilobytes(codecBytes, 'max')],
    ['AP50', ({ ap50 }) => numberCell(ap50, 3)],
    ['remark', ({ remark }) => remark],
  ]);
}

/** Of rows that were measured: for what was reported nothing stands in the other table. */
export function reportsTable(rows: readonly SequenceRow[]): string {
  const reporting = rows.filter(({ detections, topClasses }) => detections ?? topClasses);
  return markdownTable(reporting, [
    ['method', ({ method }) => method],
    ['setting', ({ setting }) => setting],
    ['detections', ({ detections }) => listCell(detections, String)],
    ['best class, frames', ({ topClasses }) => listCell(topClasses, String)],
    ['masks, share of the picture', ({ maskShares }) => listCell(maskShares, percent)],
  ]);
}

function sequencesMarkdown(report: SequencesReport): string {
  const { bundles, detector, framesPerSecond, rows, failedClips } = report;
  const { date, commit, cpu, cores, node, frameCountMax } = report;
  const clips = [...new Set(rows.map(({ clip }) => clip))];
  const limit = frameCountMax === null ? '' : `, the first ${frameCountMax} of each`;
  return [
    `# ${bundles.map(({ name }) => name).join(', ')} on ${clips.length} clips`,
    `${date}; commit ${commit}; ${cpu}, ${cores} cores; Node ${node}. ${framesPerSecond} frames a` +
      ` second${limit}. Detector: ${detector ?? 'none'}.` +
      ` Bundles: ${bundles.map(({ name, digest }) => `${name} ${digest}`).join(', ')}.`,
    report.notes.map((note) => `- ${note}`).join('\n'),
    ...clips.flatMap((clip) => {
      const own = rows.filter((row) => row.clip === clip);
      return [`## ${clip}`, bytesTable(own), '### What was reported', reportsTable(own)];
    }),
    ...failedClips.map(({ name, reason }) => `${name} was left out: ${reason}`),
  ].join('\n\n');
}

function kilobytes(spread: Spread | null, which: keyof Spread): string {
  const bytes = spread?.[which] ?? null;
  return bytes === null ? '-' : (bytes / 1000).toFixed(2);
}

/** A table has room for a few; the JSON file has all. */
const LISTED_MAX = 4;

function listCell(
  values: Readonly<Record<string, number>> | null,
  text: (value: number) => string,
): string {
  if (values === null) return '-';
  const entries = Object.entries(values);
  if (entries.length === 0) return 'none';
  const listed = entries.slice(0, LISTED_MAX).map(([label, value]) => `${label} ${text(value)}`);
  const rest = entries.length - listed.length;
  return listed.join(', ') + (rest > 0 ? `, ${rest} more` : '');
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`;
}
