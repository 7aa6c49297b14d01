import type { Head as HeadSpec } from '#models/manifest.ts';
import { defined } from '#runtime/assert.ts';
import type { Rectangle } from '#schemas/frame.ts';
import type { Classification, Detection, SegmentationMask } from '#schemas/result.ts';

/** What one head says of one frame, before it is put into a result. */
export type Finding =
  | { readonly task: 'classification'; readonly classifications: readonly Classification[] }
  | { readonly task: 'detection'; readonly detections: readonly Detection[] }
  | { readonly task: 'segmentation'; readonly masks: readonly SegmentationMask[] };

/** Where the camera's picture lies inside the letterboxed input of the bundle. */
export interface FrameGeometry {
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly content: Rectangle;
}

/** A tensor as ONNX Runtime returns it: the first dimension counts the frames of the batch. */
export interface OutputTensor {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

/** What a head's network returned for a batch, and what the bundle says about it. */
export interface HeadOutputs<Spec extends HeadSpec> {
  readonly spec: Spec;
  readonly labels: readonly string[];
  /** By the names that the ONNX file gives them. */
  readonly tensors: Readonly<Record<string, OutputTensor>>;
}

/** Turns the output tensors of one task's network into findings. */
export interface Head<Spec extends HeadSpec> {
  readonly task: Spec['task'];
  /** Pure: the finding of one frame of the batch. */
  read(outputs: HeadOutputs<Spec>, frameIndex: number, geometry: FrameGeometry): Finding;
}

/** The part of a batch's tensor that belongs to one frame; a view, not a copy. */
export function frameValues(
  { tensors }: HeadOutputs<HeadSpec>,
  name: string,
  frameIndex: number,
): ArrayLike<number> {
  const { dims, data } = defined(tensors[name], `output ${name}`);
  const size = dims.slice(1).reduce((product, dimension) => product * dimension, 1);
  return (data as Float32Array).subarray(frameIndex * size, (frameIndex + 1) * size);
}

export function labelOf({ labels }: HeadOutputs<HeadSpec>, classId: number): string {
  return labels[classId] ?? `class-${classId}`;
}
