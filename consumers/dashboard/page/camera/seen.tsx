import type { CameraResults } from '../../protocol.ts';
import { colourIndex } from '../picture/label-colour.ts';
import { boxCounts } from '../picture/paint.ts';
import { palette } from '../picture/palette.ts';
import { percentText } from '../text.ts';

/** A frame's results in words, task by task. */
export function Seen({ results }: { readonly results: CameraResults }) {
  const { classification, detection, segmentation } = results;
  return (
    <section class="panel seen" aria-label="What is seen">
      {detection !== undefined && (
        <Task
          title="Objects"
          status={detection.status}
          lines={Object.entries(boxCounts(detection.boxes)).map(([label, count]) => {
            return { label, value: `${count}` };
          })}
        />
      )}
      {segmentation !== undefined && (
        <Task
          title="Areas"
          status={segmentation.status}
          lines={segmentation.masks.map(([label, area]) => ({ label, value: percentText(area) }))}
        />
      )}
      {classification !== undefined && (
        <Task
          title="Scene"
          status={classification.status}
          lines={classification.labels.map(([label, score]) => {
            return { label, value: percentText(score), hasNoColour: true };
          })}
        />
      )}
    </section>
  );
}

interface TaskProps {
  readonly title: string;
  readonly status: string;
  readonly lines: readonly {
    readonly label: string;
    readonly value: string;
    readonly hasNoColour?: boolean;
  }[];
}

function Task({ title, status, lines }: TaskProps) {
  const { series } = palette.value;
  return (
    <div>
      <h3>{title}</h3>
      {status !== 'ok' ? (
        <p class="muted">{status}</p>
      ) : lines.length === 0 ? (
        <p class="muted">nothing</p>
      ) : (
        <ul>
          {lines.map(({ label, value, hasNoColour }) => (
            <li key={label}>
              {!hasNoColour && (
                <span
                  class="swatch"
                  style={{ background: series[colourIndex(label, series.length)] ?? '' }}
                />
              )}
              <span class="seen-label">{label}</span>
              <strong>{value}</strong>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
