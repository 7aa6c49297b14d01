import { useMemo, useState } from 'preact/hooks';
import type { TraceSpan } from '../../traces/trace-span.ts';
import { type TraceStep, type Waterfall, waterfall } from '../../traces/waterfall.ts';
import { spanText } from '../text.ts';

/** Where the time went, step by step; the steps add up to the age of the frame at its end. */
export function Trace({ spans }: { readonly spans: readonly TraceSpan[] }) {
  const [endSpanId, setEndSpanId] = useState<string>();
  const drawn = useMemo(() => waterfall(spans, endSpanId), [spans, endSpanId]);
  return (
    <section aria-labelledby="trace-title">
      <h2 id="trace-title">
        Trace{' '}
        {drawn !== undefined && <small>{spanText(drawn.ageUs)} from capture to the end</small>}
      </h2>
      {drawn === undefined ? (
        <p class="muted">No spans of this frame have come to this server.</p>
      ) : (
        <div class="panel">
          {drawn.ends.length > 1 && <Ends drawn={drawn} onChange={setEndSpanId} />}
          <Path drawn={drawn} />
          <details>
            <summary>All {drawn.steps.length} spans</summary>
            <Steps drawn={drawn} />
          </details>
        </div>
      )}
    </section>
  );
}

interface EndsProps {
  readonly drawn: Waterfall;
  readonly onChange: (spanId: string) => void;
}

function Ends({ drawn, onChange }: EndsProps) {
  return (
    <p class="trace-ends">
      <label for="trace-end">The way to</label>{' '}
      <select
        id="trace-end"
        value={drawn.endSpanId}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {drawn.ends.map(({ spanId, name, service, of }) => (
          <option key={spanId} value={spanId}>
            {[name, of, service].filter(Boolean).join(' · ')}
          </option>
        ))}
      </select>
    </p>
  );
}

function Path({ drawn }: { readonly drawn: Waterfall }) {
  const startUs = drawn.path[0]?.startUs ?? drawn.startUs;
  return (
    <ol class="waterfall">
      {drawn.path.map((segment) => (
        <Bar
          key={segment.startUs}
          name={segment.name}
          service={segment.service}
          kind={segment.kind}
          offset={(segment.startUs - startUs) / drawn.ageUs}
          share={segment.durationUs / drawn.ageUs}
          timeUs={segment.durationUs}
        />
      ))}
      <li class="total">
        <span class="name">Age in the end</span>
        <span />
        <span class="time">{spanText(drawn.ageUs)}</span>
      </li>
    </ol>
  );
}

function Steps({ drawn }: { readonly drawn: Waterfall }) {
  const length = Math.max(1, drawn.durationUs);
  return (
    <ol class="waterfall">
      {drawn.steps.map((step) => (
        <Bar
          key={step.spanId}
          name={step.name}
          service={step.service}
          kind={step.error === null ? 'step' : 'error'}
          depth={step.depth}
          isFaint={!step.isOnPath}
          offset={step.offsetUs / length}
          share={step.durationUs / length}
          timeUs={step.durationUs}
          title={attributesText(step)}
        />
      ))}
    </ol>
  );
}

interface BarProps {
  readonly name: string;
  readonly service: string;
  readonly kind: string;
  readonly depth?: number;
  readonly isFaint?: boolean;
  /** Of the whole width, 0 to 1. */
  readonly offset: number;
  readonly share: number;
  readonly timeUs: number;
  readonly title?: string;
}

const INDENT = 14;

function Bar({ name, service, kind, depth = 0, isFaint, offset, share, timeUs, title }: BarProps) {
  return (
    <li data-kind={kind} data-faint={isFaint === true} title={title ?? service}>
      <span class="name" style={{ paddingLeft: `${depth * INDENT}px` }}>
        {name} <small>{service.replace(/^halfsight-/, '')}</small>
      </span>
      <span class="track">
        <span class="bar" style={{ left: `${offset * 100}%`, width: `${share * 100}%` }} />
      </span>
      <data class="time" value={timeUs}>
        {spanText(timeUs)}
      </data>
    </li>
  );
}

function attributesText({ attributes, error }: TraceStep): string {
  const lines = Object.entries(attributes).map(([name, value]) => `${name}: ${value}`);
  return [...(error === null ? [] : [error]), ...lines].join('\n');
}
