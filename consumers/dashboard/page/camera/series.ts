import type { HistorySeries } from '../../history.ts';

/** One line of a chart; as many values as the chart has times. */
export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

export interface ChartData {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly Series[];
}

/** Labels with a line of their own; uPlot would draw more, nobody could tell them apart. */
const LABELS_MAX = 6;

/** Seconds since 1970, as uPlot wants them. */
export function timesOf({ startMs, stepMs, framesPerSecond }: HistorySeries): number[] {
  return framesPerSecond.map((_, index) => (startMs + index * stepMs) / 1_000);
}

export function chartsOf(history: HistorySeries): ChartData[] {
  const one = (title: string, unit: string, values: readonly (number | null)[]): ChartData => ({
    title,
    unit,
    series: [{ label: title, values }],
  });
  return [
    one('Frames a second', 'fps', history.framesPerSecond),
    one('Size of a frame', 'KB', history.kilobytesPerFrame),
    {
      title: 'Age at the result',
      unit: 'ms',
      series: [
        { label: 'median', values: history.ageMs },
        { label: 'largest', values: history.ageMsMax },
      ],
    },
    one('Frames dropped', '', history.dropped),
    { title: 'Objects in a frame', unit: '', series: countSeries(history) },
  ];
}

/** The history has the labels seen most first. */
function countSeries({ labels }: HistorySeries): Series[] {
  return labels.slice(0, LABELS_MAX).map(({ label, perFrame }) => ({ label, values: perFrame }));
}

export function newestOf(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}
