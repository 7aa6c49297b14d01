import { join } from 'node:path';
import sharp from 'sharp';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EvaluateArguments } from './arguments.ts';
import { type CocoPicture, readCocoFolder } from './coco-folder.ts';
import { type Detector, openDetector } from './detector.ts';
import { evaluate } from './evaluate.ts';
import type { Method } from './method.ts';
import { describeMachine, NOTES, type Report, tableOf, writeReport } from './report.ts';
import { openSplit } from './split.ts';
import { missingDetector, unsplitMethods } from './unsplit-methods.ts';

export interface RunParts {
  readonly clock: Clock;
  /** Standard output and standard error, a line at a time. */
  readonly say: (line: string) => void;
  readonly progress: (line: string) => void;
  /** How the detector's file is opened; tests have one of their own. */
  readonly open?: (file: string) => Promise<Detector>;
}

/** True when every picture and every row that could be run was measured. */
export async function runEvaluation(args: EvaluateArguments, parts: RunParts): Promise<boolean> {
  const { clock, say, open = openDetector } = parts;
  // One thread, as everything else here: this may run beside other work for many minutes.
  sharp.concurrency(1);
  const folder = readCocoFolder(args.dataDirectory);
  const pictures = folder.pictures.slice(0, args.pictureCountMax);
  const bundle = await loadBundle(args.bundleDirectory);
  const { detector, error } = await openOrExplain(args.detectorFile, open);
  const reason = missingDetector(error);
  const { baselines } = args;
  const others = unsplitMethods({ detector, reason, baselines, bundle });
  const { rows, failedPictures } = await measure(pictures, others, bundle, parts);
  await detector?.close();
  const { name, version } = bundle.manifest;
  const { categoryRemark } = folder;
  const report: Report = {
    ...describeMachine(clock),
    bundle: { name, version, digest: bundle.digest },
    data: args.dataDirectory,
    detector: args.detectorFile ?? null,
    n: pictures.length - failedPictures.length,
    notes: categoryRemark === undefined ? NOTES : [...NOTES, `instances.json: ${categoryRemark}.`],
    rows,
    failedPictures,
  };
  writeReport(report, args.outDirectory);
  say(tableOf(rows));
  for (const note of report.notes) say(`- ${note}`);
  for (const failed of failedPictures) say(`${failed.name} was left out: ${failed.reason}`);
  if (failedPictures.length > 0) say(`${failedPictures.length} pictures were left out.`);
  say(JSON.stringify(summaryOf(report, args.outDirectory)));
  return failedPictures.length === 0 && error === undefined && !rows.some((row) => row.hasFailed);
}

async function measure(
  pictures: readonly CocoPicture[],
  others: readonly Method[],
  bundle: Bundle,
  { clock, progress }: RunParts,
) {
  const split = await openSplit(bundle, clock);
  try {
    const methods = [...split.methods, ...others];
    progress(`${pictures.length} pictures, ${methods.filter(({ run }) => run).length} rows`);
    return await evaluate({ pictures, methods, clock, progress });
  } finally {
    // Also after a mistake: the engine process would keep this one alive.
    await split.close();
  }
}

/** A detector that cannot be opened costs its rows, not the whole table. */
async function openOrExplain(
  file: string | undefined,
  open: (file: string) => Promise<Detector>,
): Promise<{ detector: Detector | undefined; error: unknown }> {
  if (file === undefined) return { detector: undefined, error: undefined };
  try {
    return { detector: await open(file), error: undefined };
  } catch (error) {
    return { detector: undefined, error };
  }
}

function summaryOf({ commit, n, failedPictures, rows }: Report, directory: string) {
  return {
    commit,
    n,
    failedPictures: failedPictures.map(({ name }) => name),
    report: join(directory, 'report.json'),
    rows: rows
      .filter(({ pictures }) => pictures > 0)
      .map(({ method, setting, recordBytes, mAP50 }) => ({
        ...{ method, setting, recordBytesMean: recordBytes?.mean ?? null, mAP50 },
      })),
  };
}
