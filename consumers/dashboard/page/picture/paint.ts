import type { CameraResults, LabelMask, ScoredBox } from '../../protocol.ts';
import { countsText, percentText, topText } from '../text.ts';
import { colourIndex, pixelOf } from './label-colour.ts';
import type { Palette } from './palette.ts';
import { type Place, placeOf, type Size } from './place.ts';
import { fillSilhouette } from './silhouette.ts';

/** What a canvas shows of results. */
export interface Painting extends Size {
  readonly results: CameraResults;
  /** Of the strip at the foot, with the leading class and the counts; 0: none. */
  readonly stripHeight: number;
  readonly fontSize: number;
}

type Context = CanvasRenderingContext2D;

const MASK_ALPHA = 0.42;
const CHIPS_MAX = 24;
const STRIP_MARGIN = 8;

/** Draws a camera's picture from nothing but its results. The context is in CSS pixels. */
export function paint(context: Context, painting: Painting, palette: Palette): void {
  const { results } = painting;
  const source = { width: results.sourceWidth, height: results.sourceHeight };
  const { width, height, stripHeight } = painting;
  const place = placeOf(source, { width, height: height - stripHeight });
  context.clearRect(0, 0, width, height);
  context.fillStyle = palette.picture;
  context.fillRect(place.x, place.y, place.width, place.height);
  paintMasks(context, results.segmentation?.masks ?? [], place, palette);
  context.font = `${painting.fontSize}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  paintBoxes(context, results.detection?.boxes ?? [], { place, palette, painting });
  if (stripHeight > 0) paintStrip(context, painting, palette);
}

let scratch: OffscreenCanvas | undefined;

function paintMasks(
  context: Context,
  masks: readonly LabelMask[],
  place: Place,
  palette: Palette,
): void {
  for (const group of bySize(masks)) {
    const { width, height } = group[0][2];
    scratch ??= new OffscreenCanvas(width, height);
    if (scratch.width !== width) scratch.width = width;
    if (scratch.height !== height) scratch.height = height;
    const layer = scratch.getContext('2d', { willReadFrequently: true });
    if (layer === null) return;
    const image = layer.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (const [label, , mask] of group) {
      fillSilhouette(pixels, mask, pixelOf(colourOf(label, palette), MASK_ALPHA));
    }
    layer.putImageData(image, 0, 0);
    context.drawImage(scratch, place.x, place.y, place.width, place.height);
  }
}

/** The larger first, so that what lies in front of it stays in sight. */
function bySize(masks: readonly LabelMask[]): [LabelMask, ...LabelMask[]][] {
  const groups = new Map<string, [LabelMask, ...LabelMask[]]>();
  for (const mask of [...masks].sort(([, a], [, b]) => b - a)) {
    const { width, height } = mask[2];
    const group = groups.get(`${width} ${height}`);
    if (group === undefined) groups.set(`${width} ${height}`, [mask]);
    else group.push(mask);
  }
  return [...groups.values()];
}

interface BoxScene {
  readonly place: Place;
  readonly palette: Palette;
  readonly painting: Painting;
}

/** The best last, above the others. */
function paintBoxes(context: Context, boxes: readonly ScoredBox[], scene: BoxScene): void {
  const { place, palette, painting } = scene;
  context.lineWidth = painting.width > 400 ? 2 : 1.5;
  for (const [index, box] of [...boxes.entries()].reverse()) {
    const [label, score, xMin, yMin, xMax, yMax] = box;
    const x = place.x + xMin * place.width;
    const y = place.y + yMin * place.height;
    const colour = colourOf(label, palette);
    context.strokeStyle = colour;
    context.strokeRect(x, y, (xMax - xMin) * place.width, (yMax - yMin) * place.height);
    if (index < CHIPS_MAX) paintChip(context, `${label} ${percentText(score)}`, { x, y }, scene);
  }
}

function paintChip(
  context: Context,
  text: string,
  corner: { readonly x: number; readonly y: number },
  { place, palette, painting }: BoxScene,
): void {
  const height = painting.fontSize + 5;
  const width = textWidth(context, text) + 8;
  const x = Math.max(place.x, Math.min(corner.x - 1, place.x + place.width - width));
  const above = corner.y - height;
  const y = above < place.y ? corner.y : above;
  context.fillStyle = context.strokeStyle;
  context.fillRect(x, y, width, height);
  context.fillStyle = palette.chipText;
  context.fillText(text, x + 4, y + height / 2 + 0.5);
}

function paintStrip(context: Context, painting: Painting, palette: Palette): void {
  const { width, height, stripHeight, results } = painting;
  const { left, right } = stripTexts(results);
  context.fillStyle = palette.strip;
  context.fillRect(0, height - stripHeight, width, stripHeight);
  context.fillStyle = palette.text;
  const room = width - 2 * STRIP_MARGIN;
  const rightText = fitted(context, right, left === '' ? room : room * 0.62);
  const rightWidth = textWidth(context, rightText);
  const leftText = fitted(context, left, room - rightWidth - STRIP_MARGIN);
  const middle = height - stripHeight / 2 + 0.5;
  context.fillText(leftText, STRIP_MARGIN, middle);
  context.fillText(rightText, width - STRIP_MARGIN - rightWidth, middle);
}

function stripTexts(results: CameraResults): { readonly left: string; readonly right: string } {
  const { classification, detection } = results;
  const counts = boxCounts(detection?.boxes ?? []);
  return {
    left: notOk(classification?.status) ?? topText(classification?.labels ?? []),
    right: notOk(detection?.status) ?? countsText(counts),
  };
}

/** `shed` and the like are said instead of what was found. */
function notOk(status: string | undefined): string | undefined {
  return status === undefined || status === 'ok' ? undefined : status;
}

export function boxCounts(boxes: readonly ScoredBox[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [label] of boxes) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

function colourOf(label: string, { series }: Palette): string {
  return series[colourIndex(label, series.length)] ?? '';
}

function fitted(context: Context, text: string, width: number): string {
  if (textWidth(context, text) <= width) return text;
  let length = Math.floor((text.length * width) / textWidth(context, text));
  while (length > 1 && textWidth(context, `${text.slice(0, length)}…`) > width) length -= 1;
  return length < 2 ? '' : `${text.slice(0, length)}…`;
}

/** Measuring costs more than drawing, and the texts are the same few. */
const widths = new Map<string, number>();
const WIDTHS_MAX = 2_000;

function textWidth(context: Context, text: string): number {
  const key = `${context.font} ${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  if (widths.size >= WIDTHS_MAX) widths.clear();
  const { width } = context.measureText(text);
  widths.set(key, width);
  return width;
}
