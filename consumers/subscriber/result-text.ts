import type {
  Classification,
  Detection,
  Result,
  ResultStatus,
  SegmentationMask,
} from '#schemas/result.ts';

/** What a result says, in a few words: `2 person, 1 car`, `street sign 0.41`, `person 12 %`. */
export function summarise(result: Result): string {
  if (isEmpty(result.status)) return result.status;
  switch (result.task) {
    case 'classification':
      return listed(result.classifications.slice(0, 1).map(scored));
    case 'detection':
      return listed(
        [...byLabel(result.detections)].map(([label, { length }]) => `${length} ${label}`),
      );
    case 'segmentation':
      return listed(largestFirst(result.masks).slice(0, 3).map(area));
  }
}

/** Everything in a result that fits on a line: `2 person 0.91 0.84, car 0.77`. */
export function itemise(result: Result): string {
  if (isEmpty(result.status)) return result.status;
  switch (result.task) {
    case 'classification':
      return listed(result.classifications.slice(0, 3).map(scored));
    case 'detection':
      return listed([...byLabel(result.detections)].map(([label, all]) => scoredGroup(label, all)));
    case 'segmentation':
      return listed(largestFirst(result.masks).map(area));
  }
}

/** Its lists are empty, and say nothing. */
function isEmpty(status: ResultStatus): boolean {
  return status === 'shed' || status === 'unwanted';
}

/** Milliseconds up to a second, then seconds, then minutes. */
export function ageText(ageMs: number): string {
  if (ageMs < 1_000) return `${Math.round(ageMs)} ms`;
  if (ageMs < 100_000) return `${(ageMs / 1_000).toFixed(1)} s`;
  return `${Math.round(ageMs / 60_000)} min`;
}

function listed(items: readonly string[]): string {
  return items.length === 0 ? 'nothing' : items.join(', ');
}

/** In the order of each label's best score. */
function byLabel(detections: readonly Detection[]): Map<string, Detection[]> {
  const groups = new Map<string, Detection[]>();
  for (const detection of detections) {
    const group = groups.get(detection.label);
    if (group === undefined) groups.set(detection.label, [detection]);
    else group.push(detection);
  }
  return groups;
}

function scoredGroup(label: string, group: readonly Detection[]): string {
  const scores = group.map(({ score }) => score.toFixed(2)).join(' ');
  return group.length === 1 ? `${label} ${scores}` : `${group.length} ${label} ${scores}`;
}

function scored({ label, score }: Classification): string {
  return `${label} ${score.toFixed(2)}`;
}

function largestFirst(masks: readonly SegmentationMask[]): SegmentationMask[] {
  return [...masks].sort((a, b) => b.areaFraction - a.areaFraction);
}

function area({ label, areaFraction }: SegmentationMask): string {
  const percent = 100 * areaFraction;
  return `${label} ${percent < 1 ? '<1' : Math.round(percent)} %`;
}
