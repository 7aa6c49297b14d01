import type { Finding } from '#consumers/inference/heads/head.ts';
import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { AgreementTally } from '../agreement.ts';
import { type FoundBox, PrecisionTally } from '../average-precision.ts';
import { type ClassMap, ConfusionTally, classMapOfMasks } from '../confusion.ts';
import { DETECTOR_INPUT, type Detector } from '../detector.ts';
import { foundBoxes, SCORE_MIN } from '../method.ts';
import { letterboxRaster, type Raster } from '../raster.ts';
import { findIn, findingOf } from '../sequence/sent-frame.ts';
import { mean, rounded } from '../sequence/statistics.ts';
import { type Classifier, type Segmenter, TEACHER_INPUT } from '../teachers.ts';
import { type Engines, receive } from './engines.ts';
import type { OpenedPicture, SentViews } from './pictures.ts';
import { type Padding, type Run, VARIANTS, type Variant } from './variants.ts';
import { type Transform, transformPicture, wholeOf } from './views.ts';

export interface Networks {
  readonly detector: Detector;
  readonly classifier: Classifier;
  readonly segmenter: Segmenter;
}

/** Means over the pictures. Null is what the truth or the teachers say nothing of. */
export interface VariantFigures {
  /** Sum over the runs, of whole record values. */
  readonly recordBytes: number;
  /** The codec's part of it. */
  readonly codecBytes: number;
  readonly mAP50: number | null;
  /** With the classifier on the uncompressed picture, in the form that the variant gives it. */
  readonly top1Agreement: number | null;
  /** With the classifier on the content of the letterbox: the same wanted of all variants. */
  readonly top1AgreementLetterbox: number | null;
  /** The same two of the segmenter's masks. Unmasked, the letterbox's bars are part of the map. */
  readonly mIoU: number | null;
  readonly mIoULetterbox: number | null;
}

/** What the teachers say of a picture, uncompressed. */
export interface TeacherViews {
  topClass(transform: Transform, padding: Padding): number;
  classMap(transform: Transform, padding: Padding): ClassMap;
}

/** In every form that a variant has; nothing is asked twice. */
export async function askTeachers(
  raster: Raster,
  { classifier, segmenter }: Networks,
): Promise<TeacherViews> {
  const classes = new Map<string, number>();
  const maps = new Map<string, ClassMap>();
  for (const padding of ['masked', 'unmasked'] as const) {
    for (const transform of ['letterbox', 'crop', 'stretch'] as const) {
      const form = formOf(transform, padding);
      if (classes.has(form) || maps.has(form)) continue;
      const picture = await transformPicture(raster, transform, TEACHER_INPUT);
      const { content } = padding === 'masked' ? picture : { content: wholeOf(TEACHER_INPUT) };
      const seen = { ...picture, content };
      if (transform !== 'stretch') classes.set(form, await classifier.topClass(seen));
      if (transform !== 'crop') maps.set(form, await segmenter.classMap(seen));
    }
  }
  return {
    topClass: (transform, padding) => defined(classes.get(formOf(transform, padding)), 'a class'),
    classMap: (transform, padding) => defined(maps.get(formOf(transform, padding)), 'a class map'),
  };
}

/** Nothing but a letterbox has padding. */
function formOf(transform: Transform, padding: Padding): string {
  return transform === 'letterbox' ? `${transform}, ${padding}` : transform;
}

/** The detector on the pictures as they are, for comparison. */
export class DetectorTally {
  readonly #tally = new PrecisionTally();

  async add({ raster, truth }: OpenedPicture, { detector }: Networks): Promise<void> {
    const picture = await letterboxRaster(raster, DETECTOR_INPUT);
    this.#tally.add(truth, foundBoxes(await detector.detect(picture, SCORE_MIN), raster));
  }

  mAP50(): number | null {
    return rounded(this.#tally.result().mAP50);
  }
}

/** All variants at one rate point, a picture at a time. */
export class VariantTallies {
  readonly #bundle: Bundle;
  readonly #tallies = new Map(VARIANTS.map((variant) => [variant, new VariantTally(variant)]));

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }

  /** `engines` tell detections from SCORE_MIN on. */
  async add(
    picture: OpenedPicture,
    sent: SentViews,
    { teachers, engines }: { readonly teachers: TeacherViews; readonly engines: Engines },
  ): Promise<void> {
    for (const [{ padding, runs }, tally] of this.#tallies) {
      for (const run of runs) {
        const frame = receive(sent[run.transform].record, padding, this.#bundle);
        const findings = await findIn(frame, engines.of(run));
        tally.addRun(run, findings, { picture, teachers, bundle: this.#bundle });
      }
      tally.addBytes(sent);
    }
  }

  figures(variant: Variant): VariantFigures {
    return defined(this.#tallies.get(variant), 'a variant').figures();
  }
}

interface Judged {
  readonly picture: OpenedPicture;
  readonly teachers: TeacherViews;
  readonly bundle: Bundle;
}

class VariantTally {
  readonly #variant: Variant;
  readonly #recordBytes: number[] = [];
  readonly #codecBytes: number[] = [];
  readonly #precision = new PrecisionTally();
  readonly #agreement = new AgreementTally();
  readonly #agreementLetterbox = new AgreementTally();
  readonly #confusion = new ConfusionTally();
  readonly #confusionLetterbox = new ConfusionTally();

  constructor(variant: Variant) {
    this.#variant = variant;
  }

  addBytes(sent: SentViews): void {
    const frames = this.#variant.runs.map(({ transform }) => sent[transform]);
    this.#recordBytes.push(frames.reduce((sum, { record }) => sum + record.length, 0));
    this.#codecBytes.push(frames.reduce((sum, { codecBytes }) => sum + codecBytes, 0));
  }

  addRun({ transform }: Run, findings: readonly Finding[], judged: Judged): void {
    const { picture, teachers, bundle } = judged;
    const { padding } = this.#variant;
    const detected = findingOf(findings, 'detection');
    if (detected) this.#precision.add(picture.truth, this.#placed(detected.detections, judged));
    const topClass = findingOf(findings, 'classification')?.classifications[0]?.classId;
    if (topClass !== undefined) {
      this.#agreement.add(teachers.topClass(transform, padding), topClass);
      this.#agreementLetterbox.add(teachers.topClass('letterbox', 'masked'), topClass);
    }
    const segmented = findingOf(findings, 'segmentation');
    if (segmented === undefined) return;
    const map = classMapOfMasks(segmented.masks, backgroundOf(bundle));
    this.#confusion.add(teachers.classMap(transform, padding), map);
    // A map with the bars in it covers another area than the letterbox's content.
    if (padding === 'unmasked' && transform === 'letterbox') return;
    this.#confusionLetterbox.add(teachers.classMap('letterbox', 'masked'), map);
  }

  /**
   * In pixels of the picture. Unmasked, boxes come as fractions of the whole input: they are put
   * where they belong, and those in the bars, which masking would have cut off, stay.
   */
  #placed(detections: Parameters<typeof foundBoxes>[0], { picture, bundle }: Judged): FoundBox[] {
    const { raster, views } = picture;
    if (this.#variant.padding === 'masked') return foundBoxes(detections, raster);
    const { input } = bundle.manifest;
    const { content } = views.letterbox;
    const scale = raster.width / content.width;
    const scaleDown = raster.height / content.height;
    const inInput = foundBoxes(detections, { ...views.letterbox, ...input });
    return inInput.map(({ box: [x, y, width, height], ...rest }) => ({
      ...rest,
      box: [
        (x - content.x) * scale,
        (y - content.y) * scaleDown,
        width * scale,
        height * scaleDown,
      ],
    }));
  }

  figures(): VariantFigures {
    return {
      recordBytes: Math.round(mean(this.#recordBytes) ?? 0),
      codecBytes: Math.round(mean(this.#codecBytes) ?? 0),
      mAP50: rounded(this.#precision.result().mAP50),
      top1Agreement: rounded(this.#agreement.share()),
      top1AgreementLetterbox: rounded(this.#agreementLetterbox.share()),
      mIoU: rounded(this.#confusion.meanIou()),
      mIoULetterbox: rounded(this.#confusionLetterbox.meanIou()),
    };
  }
}

function backgroundOf({ manifest, labels }: Bundle): string {
  const head = manifest.heads.find(({ task }) => task === 'segmentation');
  const id = head?.task === 'segmentation' ? head.background : 0;
  return (head && labels(head)[id]) ?? 'background';
}
