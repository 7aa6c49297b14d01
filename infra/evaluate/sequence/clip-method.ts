import type { FoundBox } from '../average-precision.ts';
import { foundBoxes } from '../method.ts';
import type { ClipReader } from './clip-reader.ts';

/** What was said of one frame. A task that nobody asked for says nothing. */
export interface FrameReport {
  /** As fractions of the picture. */
  readonly found: readonly FoundBox[] | undefined;
  readonly topLabel?: string | undefined;
  /** By label: the part of the picture that its mask covers. */
  readonly maskShares?: Readonly<Record<string, number>> | undefined;
}

/** What one method made of one clip. Lists are by frame, or empty where there is no such thing. */
export interface ClipOutcome {
  readonly frames: number;
  readonly recordBytes: readonly number[];
  readonly codecBytes: readonly number[];
  /** Of all frames together, where they are one stream; else undefined. */
  readonly streamBytes?: number;
  readonly reports: readonly FrameReport[];
}

/** One row of the table: a way from a camera's frames to reports, with its settings fixed. */
export interface ClipMethod {
  readonly name: string;
  readonly setting: string;
  /** Undefined when it cannot be run here. */
  readonly run: ((reader: ClipReader) => Promise<ClipOutcome>) | undefined;
  /** Why it cannot be run, or what else is to be said of it. */
  readonly remark: string;
  /** Detections are counted from this score on, as a user would see them. */
  readonly scoreMin: number;
}

/** Overlaps do not depend on the unit, so boxes stay fractions. */
const UNIT = { pixels: new Uint8Array(), width: 1, height: 1 };

export function fractionBoxes(detections: Parameters<typeof foundBoxes>[0]): FoundBox[] {
  return foundBoxes(detections, UNIT);
}
