import type { EngineChannel } from '#consumers/inference/engine-protocol.ts';
import { systemClock } from '#runtime/clock.ts';
import type { Tracer } from '#runtime/trace.ts';
import { median } from '../instruments/statistics.ts';
import { countBatchFindings } from './count-findings.ts';

/** W3C's own example, sampled: the recording tracer makes no identifiers. */
export const SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** How long each step took, by its name; microseconds. */
export class StageTimes {
  readonly #timesUs = new Map<string, number[]>();

  add(stage: string, us: number): void {
    const times = this.#timesUs.get(stage) ?? [];
    if (times.length === 0) this.#timesUs.set(stage, times);
    times.push(us);
  }

  /** Undefined for a step that was never taken. */
  medianUs(stage: string): number | undefined {
    const times = this.#timesUs.get(stage);
    return times && median(times);
  }
}

/** Keeps the length of every span of a sampled frame and nothing else. */
export function recordingTracer(times: StageTimes): Tracer {
  return {
    start(name, { startTimeUs } = {}) {
      const startUs = startTimeUs ?? systemClock.nowUs();
      return {
        sampled: true,
        traceparent: () => SAMPLED,
        set: () => undefined,
        fail: () => undefined,
        end: (endUs) => times.add(name, (endUs ?? systemClock.nowUs()) - startUs),
      };
    },
  };
}

/** What passed between a consumer and its engine. */
export interface EngineTraffic {
  readonly channel: () => EngineChannel;
  /** Of all batches so far. */
  findings(): number;
}

/** Listens to an engine: time from a batch's way out to its way back, and what was found. */
export function watchEngine(spawn: () => EngineChannel, times: StageTimes): EngineTraffic {
  let findings = 0;
  const channel = (): EngineChannel => {
    const inner = spawn();
    const sentUs = new Map<number, number>();
    return {
      ...inner,
      send(message) {
        if (message.kind === 'run') sentUs.set(message.id, systemClock.nowUs());
        inner.send(message);
      },
      onMessage: (handler) =>
        inner.onMessage((message) => {
          if (message.kind === 'done') {
            times.add('engine', systemClock.nowUs() - (sentUs.get(message.id) ?? 0));
            sentUs.delete(message.id);
            times.add('decode', message.output.decode.endUs - message.output.decode.startUs);
            findings += countBatchFindings(message.output);
          }
          handler(message);
        }),
    };
  };
  return { channel, findings: () => findings };
}

/** A frame's way in a line each, in its order; microseconds. */
export interface Breakdown {
  /** Behind others in its partition's lane. */
  readonly laneUs: number;
  /** Avro, and the checks of the bitstream's header. */
  readonly parseUs: number;
  /** Behind others, until the engine is given its batch. */
  readonly batchUs: number;
  /** Of that, the entropy coder on the whole batch. */
  readonly decodeUs: number;
  /** There and back, behind the batch before it included. */
  readonly engineUs: number;
  /** Results written, behind others of its lane, until they are committed. */
  readonly commitUs: number;
}

/** Of the spans `fetch`, `parse`, `batch` (which includes the engine), `publish` and `commit`. */
export function breakdownOf(times: StageTimes): Breakdown {
  const of = (stage: string) => times.medianUs(stage) ?? Number.NaN;
  return {
    laneUs: of('fetch'),
    parseUs: of('parse'),
    batchUs: of('batch') - of('engine'),
    decodeUs: of('decode'),
    engineUs: of('engine'),
    commitUs: of('publish') + of('commit'),
  };
}
