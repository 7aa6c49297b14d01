import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { colourIndex } from '../picture/label-colour.ts';
import { type Palette, palette } from '../picture/palette.ts';
import { decimalText } from '../text.ts';
import { type ChartData, newestOf, type Series } from './series.ts';

export interface ChartProps {
  readonly chart: ChartData;
  readonly times: readonly number[];
}

const HEIGHT = 130;
/** Charts of one page point at the same time. */
const SYNC_KEY = 'halfsight';

/** Lines over time; above them what they are where the pointer is, or now. */
export function Chart({ chart, times }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [pointed, setPointed] = useState<number | null>(null);
  const colours = palette.value;
  const labels = chart.series.map(({ label }) => label).join('\n');
  const data: uPlot.AlignedData = [
    [...times],
    ...chart.series.map(({ values }) => [...values]),
  ] as uPlot.AlignedData;

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const size = { width: element.clientWidth, height: HEIGHT };
    const options = { ...size, ...optionsOf(chart, colours, setPointed) };
    const made = new uPlot(options, data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [labels, colours]);
  useEffect(() => plot.current?.setData(data), [chart, times]);

  const { title, unit, series } = chart;
  const valueText = ({ values }: Series) => {
    const value = pointed === null ? newestOf(values) : (values[pointed] ?? null);
    return `${decimalText(value)} ${unit}`.trim();
  };
  const isOne = series.length === 1;
  return (
    <section class="chart panel">
      <h3>
        {title}
        {isOne && series.map((one) => <span class="chart-value">{valueText(one)}</span>)}
      </h3>
      {!isOne && (
        <ul class="chart-legend">
          {series.map((one) => (
            <li key={one.label}>
              <span class="swatch" style={{ background: colourFor(one, isOne, colours) }} />
              {one.label} <strong>{valueText(one)}</strong>
            </li>
          ))}
        </ul>
      )}
      {series.length === 0 && <p class="muted">Nothing in the last hour.</p>}
      <div ref={place} role="img" aria-label={`${title} over the last hour`} />
    </section>
  );
}

function optionsOf(
  { series }: ChartData,
  colours: Palette,
  onPoint: (index: number | null) => void,
): Omit<uPlot.Options, 'width' | 'height'> {
  const font = '11px system-ui, sans-serif';
  const axis = {
    font,
    stroke: colours.muted,
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
  return {
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { sync: { key: SYNC_KEY }, drag: { x: false, y: false }, y: false },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.15)] } },
    axes: [
      { ...axis, size: 26, space: 70, values: '{HH}:{mm}' },
      { ...axis, size: 44, space: 32 },
    ],
    series: [
      {},
      ...series.map((one) => ({
        label: one.label,
        stroke: colourFor(one, series.length === 1, colours),
        width: 1.5,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
  };
}

function colourFor({ label }: Series, isOne: boolean, { series }: Palette): string {
  return series[isOne ? 0 : colourIndex(label, series.length)] ?? '';
}
