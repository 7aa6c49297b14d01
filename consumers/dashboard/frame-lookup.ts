import type { Bundle } from '#models/bundle.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { traceparentOf } from '#runtime/trace.ts';
import { parseFrameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type Result, TASKS } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { toldResult } from './camera-results.ts';
import { findFrame } from './inspect/find-frame.ts';
import { FrameInspector } from './inspect/frame-inspector.ts';
import type { CameraResults, FrameAnswer, ResultOrigin } from './protocol.ts';
import type { RecentFrames } from './recent-frames.ts';
import { Refusal } from './refusal.ts';
import type { TraceStore } from './traces/trace-store.ts';

export interface FrameLookupOptions {
  /** Throws while Kafka cannot be read. */
  readonly session: () => { readonly broker: Broker; readonly framing: Framing };
  readonly topics: TopicTable;
  readonly bundle: () => Promise<Bundle>;
  readonly recent: RecentFrames;
  readonly traces: TraceStore;
  readonly clock: Clock;
}

/** Lookups at a time: each reads up to some megabytes from Kafka, and decodes a bitstream. */
const AT_ONCE = 4;

interface Found {
  readonly result: Result;
  readonly traced: boolean;
  /** When Kafka got it. */
  readonly atMs: number;
}

/** Everything about one frame: its record, what was found in it and by whom, and its trace. */
export class FrameLookup {
  readonly #options: FrameLookupOptions;
  #running = 0;

  constructor(options: FrameLookupOptions) {
    this.#options = options;
  }

  /** Throws a `Refusal`, or what Kafka and the bundle have to say. */
  async ask(frameId: string): Promise<FrameAnswer> {
    if (parseFrameId(frameId) === undefined) {
      const message = `${JSON.stringify(frameId.slice(0, 200))} is no frame id.`;
      throw new Refusal('request-invalid', message, 'It is CAMERA-EPOCH-SEQUENCE.');
    }
    if (this.#running >= AT_ONCE) {
      throw new Refusal('busy', 'other frames are being looked up.', 'Ask again in a second.');
    }
    this.#running++;
    try {
      return await this.#ask(frameId);
    } finally {
      this.#running--;
    }
  }

  async #ask(frameId: string): Promise<FrameAnswer> {
    const { session, topics, bundle, recent, traces, clock } = this.#options;
    const { broker, framing } = session();
    const shown = recent.find(frameId);
    const inspector = new FrameInspector({
      broker,
      topics,
      framing,
      clock,
      bundle: await bundle(),
    });
    const inspection = await inspector.inspect(frameId, shown?.captureTimeUs);
    const captureTimeUs =
      shown?.captureTimeUs ?? (inspection.found ? inspection.frame?.captureTimeUs : undefined);
    // A frame that is nowhere has no results either: their topics are kept as long.
    const found = captureTimeUs === undefined ? [] : await this.#find(frameId, captureTimeUs);
    return {
      frameId,
      results: told(frameId, found, shown),
      origins: found.map(({ result }) => originOf(result)),
      inspection,
      trace: traces.traceOfFrame(frameId) ?? [],
    };
  }

  async #find(frameId: string, captureTimeUs: number): Promise<Found[]> {
    const { session, topics, clock } = this.#options;
    const { broker, framing } = session();
    const identity = parseFrameId(frameId);
    if (identity === undefined) return [];
    const found: Found[] = [];
    for (const task of TASKS) {
      const topic = topics.results[task].name;
      const record = await findFrame(identity, captureTimeUs, { broker, topic, clock });
      if ('found' in record) continue;
      const value = framedValue(record);
      if (value !== null) await framing.learn(value);
      const result = readOrUndefined(() => decodeResult(task, value, framing));
      if (result === undefined) continue;
      const traced = traceparentOf(record.headers) !== undefined;
      found.push({ result, traced, atMs: record.timestampMs });
    }
    return found;
  }
}

/** `shown`: as they arrived here, which is where its trace ends, if they came while we read. */
function told(
  frameId: string,
  found: readonly Found[],
  shown: CameraResults | undefined,
): CameraResults | null {
  const [first] = found;
  if (first === undefined) return shown ?? null;
  const { cameraId, captureTimeUs, sourceWidth, sourceHeight } = first.result;
  const writtenMs = Math.min(...found.map(({ atMs }) => atMs));
  const ageMs = shown?.ageMs ?? Math.max(0, Math.round(writtenMs - captureTimeUs / 1000));
  const traced = found.some((one) => one.traced);
  const parts = found.map(({ result }) => toldResult(result, frameId));
  return {
    ...{ cameraId, frameId, captureTimeUs, ageMs, sourceWidth, sourceHeight, traced },
    ...Object.assign({}, ...parts),
  };
}

function originOf(result: Result): ResultOrigin {
  const { task, status, encodeTimeUs, inferTimeUs, redrives, lineage } = result;
  return { task, status, encodeTimeUs, inferTimeUs, redrives, lineage };
}

/** A result that cannot be read is not shown; the wall has counted it when it came. */
function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof HalfsightError)) throw error;
    return undefined;
  }
}
