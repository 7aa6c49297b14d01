import { basename, join } from 'node:path';
import sharp from 'sharp';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { describeError } from '#runtime/errors.ts';
import type { CommandParts } from '../command.ts';
import { type Detector, openDetector } from '../detector.ts';
import { describeMachine } from '../report.ts';
import type { SequencesArguments } from './arguments.ts';
import { openBundleMethods } from './bundle-methods.ts';
import type { ClipMethod } from './clip-method.ts';
import { ClipReader } from './clip-reader.ts';
import { type Clip, listClips } from './clips.ts';
import { clipTruth, measureClip, type SequenceRow } from './measure.ts';
import { pixelMethods } from './pixel-methods.ts';
import {
  bytesTable,
  type FailedClip,
  NOTES,
  reportsTable,
  type SequencesReport,
  writeSequences,
} from './report.ts';
import { missingVideoCodecs } from './video-codecs.ts';

export interface SequencesParts extends CommandParts {
  /** How the detector's file is opened; tests have one of their own. */
  readonly open?: (file: string) => Promise<Detector>;
}

/** True when every clip and every row that could be run was measured. */
export async function runSequences(
  args: SequencesArguments,
  parts: SequencesParts,
): Promise<boolean> {
  const { clock, say } = parts;
  // One thread, as everything else here: this may run beside other work for many minutes.
  sharp.concurrency(1);
  const clips = listClips(args.clipsDirectory);
  const bundles: Bundle[] = [];
  for (const directory of args.bundleDirectories) bundles.push(await loadBundle(directory));
  const { rows, failedClips } = await measureAll(clips, bundles, args, parts);
  const report: SequencesReport = {
    ...describeMachine(clock),
    bundles: bundles.map(({ manifest, digest }) => ({ name: manifest.name, digest })),
    // Where it lay on this machine is nobody's business who reads the report.
    detector: args.detectorFile === undefined ? null : basename(args.detectorFile),
    framesPerSecond: args.framesPerSecond,
    frameCountMax: args.frameCountMax ?? null,
    notes: NOTES,
    rows,
    failedClips,
  };
  writeSequences(report, args.outDirectory);
  for (const note of NOTES) say(`- ${note}`);
  for (const { name, reason } of failedClips) say(`${name} was left out: ${reason}`);
  say(JSON.stringify(summaryOf(report, args.outDirectory)));
  return failedClips.length === 0 && !rows.some(({ hasFailed }) => hasFailed);
}

async function measureAll(
  clips: readonly Clip[],
  bundles: readonly Bundle[],
  args: SequencesArguments,
  parts: SequencesParts,
) {
  const { detectorFile } = args;
  const rows: SequenceRow[] = [];
  const failedClips: FailedClip[] = [];
  const closing: { close(): Promise<void> }[] = [];
  try {
    const detector = detectorFile && (await (parts.open ?? openDetector)(detectorFile));
    if (detector) closing.push(detector);
    const methods: ClipMethod[] = [];
    for (const bundle of bundles) {
      const opened = await openBundleMethods(bundle, parts.clock);
      closing.push(opened);
      methods.push(...opened.methods);
    }
    const bundle = defined(bundles[0], 'a bundle');
    const opponents = { missingVideoCodecs: await missingVideoCodecs(), bundle };
    methods.push(...pixelMethods({ ...opponents, detector: detector || undefined }));
    for (const clip of clips) {
      const own = await measureOne(new ClipReader(clip, args), methods, detector, parts);
      if (typeof own === 'string') failedClips.push({ name: clip.name, reason: own });
      else rows.push(...own);
    }
  } finally {
    // Also after a mistake: the engine processes would keep this one alive.
    for (const each of closing) await each.close();
  }
  return { rows, failedClips };
}

/** The rows of a clip, or why it could not be read. */
async function measureOne(
  reader: ClipReader,
  methods: readonly ClipMethod[],
  detector: Detector | '' | undefined,
  { clock, say, progress }: SequencesParts,
): Promise<SequenceRow[] | string> {
  const startMs = clock.monotonicMs();
  try {
    const truth = detector ? await clipTruth(reader, detector) : undefined;
    const rows: SequenceRow[] = [];
    for (const method of methods) {
      rows.push(await measureClip(method, reader, truth));
      const seconds = ((clock.monotonicMs() - startMs) / 1000).toFixed(0);
      const row = `${method.name}, ${method.setting}`;
      progress(
        `${reader.clip.name}: ${rows.length} of ${methods.length} rows, ${seconds} s; ${row}`,
      );
    }
    for (const text of [reader.clip.name, bytesTable(rows), reportsTable(rows)]) say(text);
    return rows;
  } catch (error) {
    return describeError(error);
  }
}

function summaryOf({ commit, rows, failedClips }: SequencesReport, directory: string) {
  return {
    commit,
    failedClips: failedClips.map(({ name }) => name),
    report: join(directory, 'sequences.json'),
    rows: rows
      .filter(({ frames }) => frames > 0)
      .map(({ clip, method, setting, recordBytes, codecBytes, ap50 }) => ({
        ...{ clip, method, setting, recordBytesMean: recordBytes?.mean ?? null },
        ...{ codecBytesMean: codecBytes?.mean ?? null, ap50 },
      })),
  };
}
