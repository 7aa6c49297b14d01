import { basename, join } from 'node:path';
import sharp from 'sharp';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { absentMethods } from './absent-methods.ts';
import type { EvaluateArguments } from './arguments.ts';
import { openClassifier } from './classifier.ts';
import { type CocoPicture, readCocoFolder } from './coco-folder.ts';
import type { CommandParts } from './command.ts';
import { compare } from './comparisons.ts';
import { readDecodedPictures } from './decoded-pictures.ts';
import { type Detector, openDetector } from './detector.ts';
import { evaluate } from './evaluate.ts';
import type { Method } from './method.ts';
import { describeMachine, NOTES, type Report, tableOf } from './report.ts';
import { openSegmenter } from './segmenter.ts';
import { openSplit, type Split } from './split.ts';
import type { Classifier, Segmenter, Teachers } from './teachers.ts';
import { unsplitMethods } from './unsplit-methods.ts';
import { writeReport } from './write-report.ts';

export interface RunParts extends CommandParts {
  /** How the networks' files are opened; tests have some of their own. */
  readonly open?: (file: string) => Promise<Detector>;
  readonly openClassifier?: (file: string) => Promise<Classifier>;
  readonly openSegmenter?: (file: string) => Promise<Segmenter>;
}

/** True when every picture and every row that could be run was measured. */
export async function runEvaluation(args: EvaluateArguments, parts: RunParts): Promise<boolean> {
  const { clock, say } = parts;
  // One thread, as everything else here: this may run beside other work for many minutes.
  sharp.concurrency(1);
  const folder = readCocoFolder(args.dataDirectory);
  const pictures = folder.pictures.slice(0, args.pictureCountMax);
  const bundles: Bundle[] = [];
  for (const directory of args.bundleDirectories) bundles.push(await loadBundle(directory));
  const bundle = defined(bundles[0], 'a bundle');
  const decoded = args.decodedDirectories.map(readDecodedPictures);
  const { detector, reason, teachers, isWhole } = await openNetworks(args, parts);
  const { baselines } = args;
  const unsplit = { detector, reason, teachers, baselines, decoded, bundle, clock };
  const others = unsplitMethods(unsplit);
  const { rows, failedPictures } = await measure(pictures, others, { bundles, teachers }, parts);
  for (const each of [detector, teachers.classifier, teachers.segmenter]) await each?.close();
  const { name, version } = bundle.manifest;
  const { categoryRemark } = folder;
  const report: Report = {
    ...describeMachine(clock),
    bundle: { name, version, digest: bundle.digest },
    data: basename(args.dataDirectory),
    detector: nameOf(args.detectorFile),
    classifier: nameOf(args.classifierFile),
    segmenter: nameOf(args.segmenterFile),
    n: pictures.length - failedPictures.length,
    notes: [
      ...NOTES,
      ...bundles.map(described),
      ...(categoryRemark === undefined ? [] : [`instances.json: ${categoryRemark}.`]),
    ],
    rows,
    comparisons: compare(rows, name),
    failedPictures,
  };
  writeReport(report, args.outDirectory);
  say(tableOf(rows));
  for (const note of report.notes) say(`- ${note}`);
  for (const failed of failedPictures) say(`${failed.name} was left out: ${failed.reason}`);
  if (failedPictures.length > 0) say(`${failedPictures.length} pictures were left out.`);
  say(JSON.stringify(summaryOf(report, args.outDirectory)));
  return failedPictures.length === 0 && isWhole && !rows.some((row) => row.hasFailed);
}

async function measure(
  pictures: readonly CocoPicture[],
  others: readonly Method[],
  { bundles, teachers }: { bundles: readonly Bundle[]; teachers: Teachers },
  { clock, progress }: RunParts,
) {
  const splits: Split[] = [];
  try {
    for (const bundle of bundles) splits.push(await openSplit(bundle, teachers, clock));
    const run = [...splits.flatMap((split) => split.methods), ...others];
    const methods = [...run, ...absentMethods(run)];
    progress(`${pictures.length} pictures, ${methods.filter(({ run }) => run).length} rows`);
    return await evaluate({ pictures, methods, teachers, clock, progress });
  } finally {
    // Also after a mistake: the engine processes would keep this one alive.
    for (const split of splits) await split.close();
  }
}

async function openNetworks(args: EvaluateArguments, parts: RunParts) {
  const { detectorFile, classifierFile, segmenterFile } = args;
  const detecting = await openOrExplain(detectorFile, parts.open ?? openDetector);
  const classifying = await openOrExplain(classifierFile, parts.openClassifier ?? openClassifier);
  const segmenting = await openOrExplain(segmenterFile, parts.openSegmenter ?? openSegmenter);
  const remarks = [
    ...(classifying.network ? [] : [`top-1 ${because(classifying, '--classifier')}`]),
    ...(segmenting.network ? [] : [`mIoU ${because(segmenting, '--segmenter')}`]),
  ];
  const teachers: Teachers = {
    classifier: classifying.network,
    segmenter: segmenting.network,
    remark: remarks.join('; '),
  };
  return {
    detector: detecting.network,
    reason: detecting.reason ?? 'needs --detector',
    teachers,
    /** None that was asked for is missing. */
    isWhole: [detecting, classifying, segmenting].every(({ reason }) => reason === undefined),
  };
}

function because({ reason }: { reason: string | undefined }, option: string): string {
  return reason === undefined ? `needs ${option}` : `failed: ${reason}`;
}

/** A network that cannot be opened costs its rows or its column, not the whole table. */
async function openOrExplain<T>(
  file: string | undefined,
  open: (file: string) => Promise<T>,
): Promise<{ network: T | undefined; reason: string | undefined }> {
  if (file === undefined) return { network: undefined, reason: undefined };
  try {
    return { network: await open(file), reason: undefined };
  } catch (error) {
    const reason = error instanceof HalfsightError ? error.message : String(error);
    return { network: undefined, reason };
  }
}

/** What a bundle says of itself; of opponents one wants to know how much they were trained. */
function described({ manifest: { name, version, description } }: Bundle): string {
  return `${name} ${version}: ${description}`;
}

/** Where it lay on this machine is nobody's business who reads the report. */
function nameOf(file: string | undefined): string | null {
  return file === undefined ? null : basename(file);
}

function summaryOf({ commit, n, failedPictures, rows }: Report, directory: string) {
  return {
    commit,
    n,
    failedPictures: failedPictures.map(({ name }) => name),
    report: join(directory, 'report.json'),
    rows: rows
      .filter(({ pictures }) => pictures > 0)
      .map(({ method, setting, recordBytes, mAP50, top1Agreement, mIoU }) => ({
        ...{ method, setting, recordBytesMean: recordBytes?.mean ?? null, mAP50 },
        ...{ top1Agreement, mIoU },
      })),
  };
}
