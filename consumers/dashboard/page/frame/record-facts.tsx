import type { FrameAnswer } from '../../protocol.ts';
import { Facts } from '../shell/facts.tsx';
import { bytesText, countText, spanText, timeText } from '../text.ts';

/** The frame's record on its topic, as it was found there. */
export function RecordFacts({ answer }: { readonly answer: FrameAnswer }) {
  const { inspection } = answer;
  if (!inspection.found) {
    return (
      <section class="panel facts">
        <h3>Record</h3>
        <p class="muted">{inspection.detail}</p>
      </section>
    );
  }
  const { record, frame, problem } = inspection;
  return (
    <>
      <Facts
        title="Record"
        facts={[
          ['Topic', record.topic ?? '–'],
          ['Partition, offset', `${countText(record.partition)}, ${countText(record.offset)}`],
          ['Size', bytesText(record.bytes)],
          ['Trace', record.traceId ?? 'not sampled'],
          ...(frame === null
            ? []
            : ([
                ['Captured', `${timeText(frame.captureTimeUs)} (${frame.timeSource})`],
                ['Encoded in', spanText(frame.encodeDurationUs)],
                ['Picture', `${frame.source.width} × ${frame.source.height}`],
                ['Encoder’s input', `${frame.input.width} × ${frame.input.height}`],
                ['Bundle', `${frame.bundle.name} ${frame.bundle.version}`],
                ['Rate point', ratePointText(frame)],
                ['Heads wanted', frame.heads?.join(', ') ?? 'all'],
              ] as const)),
        ]}
      />
      {problem !== null && (
        <p class="panel problem">
          <strong>{problem.message}</strong> {problem.advice}
        </p>
      )}
    </>
  );
}

function ratePointText({
  ratePoint,
  ratePointName,
}: {
  readonly ratePoint: number;
  readonly ratePointName: string | null;
}): string {
  return ratePointName === null ? `${ratePoint}` : `${ratePoint} (${ratePointName})`;
}
