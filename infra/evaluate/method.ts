import type { Box } from '#schemas/result.ts';
import type { FoundBox, TruthBox } from './average-precision.ts';
import { canonicalLabel } from './coco-classes.ts';
import type { Raster } from './raster.ts';
import type { View } from './teachers.ts';

/** A picture that was decoded, and what is to be found in it. */
export interface Picture {
  readonly name: string;
  readonly raster: Raster;
  readonly truth: readonly TruthBox[];
  /** Of the teachers, on the picture as it is. */
  readonly teachersView: View;
}

/** What one method made of one picture. */
export interface Outcome extends View {
  /** Of the whole record value that would go to Kafka. Undefined: nothing is sent at all. */
  readonly recordBytes: number | undefined;
  /** Of what the codec made, which is part of it. */
  readonly codecBytes: number | undefined;
  /** Boxes in pixels of the picture. Undefined: the method detects nothing. */
  readonly found: readonly FoundBox[] | undefined;
  /** From letterboxed pixels to the bytes that are sent, and from those to what the tasks say. */
  readonly times?: Times;
}

export interface Times {
  readonly encodeMs: number;
  readonly decodeMs: number;
}

/** What a camera has to hold and to compute: the first of SC2's three metrics, and its work. */
export interface EncoderCost {
  /** Bits of the encoder's tensors. */
  readonly parameterBits: number;
  /** Multiply-accumulates a frame. */
  readonly macs: number;
}

/** One row of the table: a way from pixels to detections, with its settings fixed. */
export interface Method {
  /** Rows of one name are one line of the plot. */
  readonly name: string;
  readonly setting: string;
  /** Undefined when it cannot be run here. */
  readonly run: ((picture: Picture) => Promise<Outcome>) | undefined;
  /** Why it cannot be run, or what else is to be said of it. */
  readonly remark: string;
  /** Of a bundle that names it. */
  readonly encoder?: EncoderCost;
}

/**
 * Detections count from this score on: average precision weighs all of a model's answers by rank,
 * and a threshold for users, such as a bundle's `scoreMin`, would cut its tail off.
 */
export const SCORE_MIN = 0.001;

interface ScoredBox {
  readonly label: string;
  readonly score: number;
  /** Fractions of the picture. */
  readonly box: Box;
}

/** Detections as results tell them, in pixels of the picture. */
export function foundBoxes(detections: readonly ScoredBox[], { width, height }: Raster) {
  return detections.map(({ label, score, box: [xMin, yMin, xMax, yMax] }): FoundBox => {
    const box = [
      xMin * width,
      yMin * height,
      (xMax - xMin) * width,
      (yMax - yMin) * height,
    ] as const;
    return { label: canonicalLabel(label), score, box };
  });
}
