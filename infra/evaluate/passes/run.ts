import { basename, join } from 'node:path';
import sharp from 'sharp';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { type Encoder, openEncoder } from '#models/encoder.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { TASKS } from '#schemas/result.ts';
import { openClassifier } from '../classifier.ts';
import { type CocoPicture, readCocoFolder } from '../coco-folder.ts';
import type { CommandParts } from '../command.ts';
import { openDetector } from '../detector.ts';
import type { FailedPicture } from '../evaluate.ts';
import { describeMachine } from '../report.ts';
import { openSegmenter } from '../segmenter.ts';
import { openEngine } from '../split.ts';
import { askTeachers, DetectorTally, type Networks, VariantTallies } from './accuracy.ts';
import type { PassesArguments } from './arguments.ts';
import { type Engines, openEngines, openProductEngine } from './engines.ts';
import { openPicture, type SentViews, sendViews } from './pictures.ts';
import {
  claimText,
  NOTES,
  type PassesReport,
  type PassesRow,
  passesTable,
  verdictsOf,
  writePasses,
} from './report.ts';
import { timeVariants } from './timing.ts';
import { VARIANTS } from './variants.ts';

export interface PassesParts extends CommandParts {
  /** How the networks' files are opened; tests have some of their own. */
  readonly open?: (args: PassesArguments) => Promise<Networks>;
}

/** More of them would not make the ratios any surer, and take hours. */
const TIMED_PICTURES_MAX = 50;

/** True when every picture was measured. Whether the claim holds is no matter of success. */
export async function runPasses(args: PassesArguments, parts: PassesParts): Promise<boolean> {
  const { clock, say, progress } = parts;
  // One thread, as everything else here: this may run beside other work for many minutes.
  sharp.concurrency(1);
  const folder = readCocoFolder(args.dataDirectory);
  const pictures = folder.pictures.slice(0, args.pictureCountMax);
  const bundle = await loadBundle(args.bundleDirectory);
  checkFit(bundle);
  const measured = await measureAccuracy(pictures, bundle, args, parts);
  const { failedPictures, detectorMAP50, tallies, sent } = measured;
  const timed = sent[0]?.length ?? 0;
  if (timed === 0) throw new HalfsightError('usage-invalid', 'none of the pictures can be read.');
  const rows: PassesRow[] = [];
  const engines = await openEngines((tasks) => openProductEngine(bundle, tasks, clock));
  try {
    for (const { index, name } of bundle.manifest.ratePoints) {
      const { repeats } = args;
      const options = { bundle, engines, clock, repeats };
      const times = await timeVariants(defined(sent[index], 'sent frames'), options);
      progress(`rate point ${index}: timed ${timed} pictures, ${repeats} times`);
      for (const variant of VARIANTS) {
        const { way, padding } = variant;
        const figures = defined(tallies[index], 'tallies').figures(variant);
        const title = { ratePoint: index, ratePointName: name, way, padding };
        rows.push({ ...title, ...figures, ...defined(times.get(variant), 'times') });
      }
    }
  } finally {
    await engines.close();
  }
  const { name, version } = bundle.manifest;
  const remark = folder.categoryRemark;
  const report: PassesReport = {
    ...describeMachine(clock),
    bundle: { name, version, digest: bundle.digest },
    // Where it lay on this machine is nobody's business who reads the report.
    data: basename(args.dataDirectory),
    detector: basename(args.detectorFile),
    classifier: basename(args.classifierFile),
    segmenter: basename(args.segmenterFile),
    ...{ n: pictures.length - failedPictures.length, timed, repeats: args.repeats },
    detectorMAP50,
    verdicts: verdictsOf(rows),
    notes: remark === undefined ? NOTES : [...NOTES, `instances.json: ${remark}.`],
    rows,
    failedPictures,
  };
  writePasses(report, args.outDirectory);
  say(passesTable(rows));
  for (const note of report.notes) say(`- ${note}`);
  for (const failed of failedPictures) say(`${failed.name} was left out: ${failed.reason}`);
  say(claimText(report.verdicts));
  say(JSON.stringify(summaryOf(report, args.outDirectory)));
  return failedPictures.length === 0;
}

function checkFit({ manifest: { input, heads, name } }: Bundle): void {
  const lacking = TASKS.filter((task) => !heads.some((head) => head.task === task));
  if (lacking.length > 0) {
    throw new HalfsightError('usage-invalid', `${name} has no ${lacking.join(' and no ')} head.`, {
      advice: 'One pass is compared for all three tasks.',
    });
  }
  if (input.width === input.height) return;
  const size = `${input.width}x${input.height}`;
  throw new HalfsightError('usage-invalid', `the input of ${name} is ${size}, not square.`);
}

async function measureAccuracy(
  pictures: readonly CocoPicture[],
  bundle: Bundle,
  args: PassesArguments,
  parts: PassesParts,
) {
  const networks = await (parts.open ?? openNetworks)(args);
  const encoder = await openEncoder(bundle, { threads: 1 });
  const engines = await openEngines((tasks) => openEngine(bundle, tasks, parts.clock));
  try {
    return await judgePictures(pictures, { bundle, encoder, engines, networks }, parts);
  } finally {
    // Also after a mistake: the engine processes would keep this one alive.
    const { detector, classifier, segmenter } = networks;
    for (const each of [engines, encoder, detector, classifier, segmenter]) await each.close();
  }
}

interface Judges {
  readonly bundle: Bundle;
  readonly encoder: Encoder;
  readonly engines: Engines;
  readonly networks: Networks;
}

/** Accuracy and bytes of all pictures; of the first ones the frames, by rate point, to be timed. */
async function judgePictures(
  pictures: readonly CocoPicture[],
  { bundle, encoder, engines, networks }: Judges,
  { progress }: PassesParts,
) {
  const { ratePoints } = bundle.manifest;
  const tallies = ratePoints.map(() => new VariantTallies(bundle));
  const sent = ratePoints.map((): SentViews[] => []);
  const detectorTally = new DetectorTally();
  const failedPictures: FailedPicture[] = [];
  for (const [at, entry] of pictures.entries()) {
    const picture = await openPicture(entry, bundle).catch((error) => {
      // libvips tells its whole story, a line for each step.
      const reason = String((error as Error).message).split('\n')[0] ?? '';
      failedPictures.push({ name: entry.name, reason });
    });
    if (!picture) continue;
    const teachers = await askTeachers(picture.raster, networks);
    await detectorTally.add(picture, networks);
    for (const { index } of ratePoints) {
      const views = await sendViews(picture, index, { bundle, encoder });
      await tallies[index]?.add(picture, views, { teachers, engines });
      const kept = sent[index];
      if (kept && kept.length < TIMED_PICTURES_MAX) kept.push(views);
    }
    progress(`${at + 1} of ${pictures.length} pictures`);
  }
  return { tallies, sent, detectorMAP50: detectorTally.mAP50(), failedPictures };
}

async function openNetworks(args: PassesArguments): Promise<Networks> {
  return {
    detector: await openDetector(args.detectorFile),
    classifier: await openClassifier(args.classifierFile),
    segmenter: await openSegmenter(args.segmenterFile),
  };
}

function summaryOf({ commit, n, failedPictures, verdicts, rows }: PassesReport, directory: string) {
  return {
    commit,
    n,
    failedPictures: failedPictures.map(({ name }) => name),
    report: join(directory, 'passes.json'),
    verdicts: verdicts.map(({ verdict }) => verdict),
    rows: rows.map(({ ratePoint, way, padding, recordBytes, times, ratio, ...accuracy }) => ({
      ...{ ratePoint, way, padding, recordBytes, consumerMs: Number(times.totalMs.toFixed(3)) },
      ratio: ratio === null ? null : Number(ratio.median.toFixed(3)),
      ...{ mAP50: accuracy.mAP50, top1Agreement: accuracy.top1Agreement, mIoU: accuracy.mIoU },
    })),
  };
}
