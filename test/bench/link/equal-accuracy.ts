import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compare, frontier, type Point } from '#infra/evaluate/comparisons.ts';
import type { Row } from '#infra/evaluate/evaluate.ts';
import type { Report } from '#infra/evaluate/report.ts';
import { assert, defined } from '#runtime/assert.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** What `npm run evaluate` has measured of a bundle and of its opponents. */
export interface Evaluated {
  /** Of its report.json, in this repository. */
  readonly file: string;
  readonly bundle: string;
}

/** A mean record that an opponent needs: as measured, or all that the report allows to say. */
export interface OpponentBytes {
  readonly bytes: number;
  /** `at most`: its smallest measured records are better; `over`: its largest are not as good. */
  readonly is: 'measured' | 'at most' | 'over';
}

export interface EqualAccuracy {
  readonly setting: string;
  readonly mAP50: number;
  /** Of the bundle. */
  readonly recordBytes: number;
  readonly opponents: ReadonlyMap<string, OpponentBytes>;
}

/** Of each rate point of the bundle, in the order of the report. */
export function equalAccuracies({ file, bundle }: Evaluated): EqualAccuracy[] {
  const { rows } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Report;
  const ofBundle = equalAccuraciesOf(rows, bundle);
  assert(ofBundle.length > 0, `${file} has rows of ${bundle}`);
  return ofBundle;
}

/**
 * Records of the opponents that are as good as the bundle's in detection, by the report's own rule:
 * between two of an opponent's best settings, mAP50 goes with the logarithm of the bytes.
 */
export function equalAccuraciesOf(rows: readonly Row[], bundle: string): EqualAccuracy[] {
  const comparisons = compare(rows, bundle).filter(({ measure }) => measure === 'mAP50');
  return [...Map.groupBy(comparisons, ({ setting }) => setting)].map(([setting, ofSetting]) => {
    const { value, recordBytes } = defined(ofSetting[0], 'a comparison');
    const opponents = new Map(
      ofSetting.map(({ opponent, opponentBytes }) => [
        opponent,
        opponentBytes === null
          ? bound(pointsOf(rows, opponent), value)
          : { bytes: opponentBytes, is: 'measured' as const },
      ]),
    );
    return { setting, mAP50: value, recordBytes, opponents };
  });
}

/** How many times the bundle's bytes the opponent needs. */
export function ratioOf({ recordBytes, opponents }: EqualAccuracy, opponent: string): number {
  return defined(opponents.get(opponent), `figures of ${opponent}`).bytes / recordBytes;
}

function bound(points: readonly Point[], value: number): OpponentBytes {
  const best = frontier(points);
  const [smallest, largest] = [defined(best[0], 'a setting'), defined(best.at(-1), 'a setting')];
  return smallest.value >= value
    ? { bytes: smallest.bytes, is: 'at most' }
    : { bytes: largest.bytes, is: 'over' };
}

function pointsOf(rows: readonly Row[], opponent: string): Point[] {
  return rows.flatMap(({ method, recordBytes, mAP50 }) => {
    if (method !== opponent || recordBytes === null || mAP50 === null) return [];
    return [{ bytes: recordBytes.mean, value: mAP50 }];
  });
}
