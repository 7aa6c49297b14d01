import { type BitstreamHeader, checkBitstream } from '#codec/bitstream.ts';
import { shortHash } from '#codec/tables.ts';
import type { Bundle } from '#models/bundle.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Span, Tracer } from '#runtime/trace.ts';
import { decodeFrame, type FrameRecord } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import type { Task } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { Batcher } from './batch.ts';
import type { Delivery, Outcome } from './delivery.ts';
import type { Fetch, FetchedDelivery } from './fetch.ts';
import { type OwnTraces, startParsing } from './fetch-trace.ts';
import type { Overload } from './overload.ts';
import type { ParsedFrame } from './parsed-frame.ts';
import type { Telemetry } from './telemetry.ts';

/**
 * Whether a record is to be analysed; one that is not settles as nothing. It may make the pipeline
 * wait; a rejection ends it.
 */
export type Select = (record: IncomingRecord) => boolean | Promise<boolean>;

export interface ParseOptions {
  /** Undefined: every record is. */
  readonly select?: Select | undefined;
  readonly bundle: Bundle;
  readonly framing: Framing;
  /** Which of the active heads are wanted of a frame. */
  readonly headsOf: (frame: FrameRecord) => readonly Task[];
  readonly deadLetter: (delivery: Delivery, error: unknown, traceparent?: string) => Outcome;
  readonly overload: Pick<Overload, 'skips'>;
  /** The outcome of a frame that no head shall run on. */
  readonly skip: (frame: ParsedFrame) => Outcome;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  /** Undefined: what is done here belongs to the trace of the frame. */
  readonly ownTraces?: OwnTraces | undefined;
  readonly telemetry: Telemetry;
}

/** Parses what was fetched until fetch is closed. */
export async function runParse(fetch: Fetch, batcher: Batcher, options: ParseOptions) {
  for (;;) {
    await batcher.room();
    const fetched = await fetch.next();
    if (fetched === undefined) break;
    const frame = await parseDelivery(fetched, options);
    if (frame !== undefined) batcher.push(frame);
  }
  batcher.close();
}

/**
 * The frame of a delivery, its bitstream checked as far as that goes without decoding it; undefined
 * where it was settled (not selected, a duplicate, a dead letter, skipped) or dropped.
 */
export async function parseDelivery(
  { lane, delivery }: FetchedDelivery,
  options: ParseOptions,
): Promise<ParsedFrame | undefined> {
  if (options.select !== undefined && !(await options.select(delivery.record))) {
    delivery.settle({ kind: 'not-selected', records: [], counters: ['frames-not-selected'] });
    return undefined;
  }
  const span = startParsing(delivery, options);
  try {
    await learnSchema(delivery, options);
    if (delivery.isDropped) return undefined;
    const frame = decodeFrame(framedValue(delivery.record), options.framing);
    checkKey(delivery, frame);
    delivery.identity = frame;
    if (!lane.admit(frame, delivery.redrives)) {
      span.set('halfsight.duplicate', true);
      delivery.settle({ kind: 'duplicate', records: [], counters: ['duplicate-frame'] });
      return undefined;
    }
    const { tableHash } = checkFrame(frame, options.bundle);
    const parsed = {
      ...{ delivery, frame, heads: options.headsOf(frame), tableHash },
      ...{ parsedTimeUs: options.clock.nowUs(), traceparent: span.traceparent() },
    };
    if (!options.overload.skips(delivery.record.timestampMs)) return parsed;
    delivery.settle(options.skip(parsed));
    return undefined;
  } catch (error) {
    refuse(delivery, error, span, options);
    return undefined;
  } finally {
    span.end();
  }
}

function refuse(delivery: Delivery, error: unknown, span: Span, options: ParseOptions): void {
  if (!(error instanceof HalfsightError)) {
    // Not an operating error: this record found a mistake of ours, which a person has to see.
    options.logger.error('parse-crashed', {
      error: describeError(error),
      stack: (error as Error).stack,
      partition: delivery.record.partition,
      offset: delivery.record.offset,
    });
  }
  span.fail(error);
  delivery.settle(options.deadLetter(delivery, error, span.traceparent()));
}

/** A registry that is away is no fault of the record: wait for it, for as long as it takes. */
async function learnSchema(delivery: Delivery, options: ParseOptions): Promise<void> {
  const value = framedValue(delivery.record);
  while (value !== null && !delivery.isDropped) {
    try {
      return await options.framing.learn(value);
    } catch (error) {
      if (!(error instanceof HalfsightError && error.canRetry)) throw error;
      options.logger.warn('schema-registry-away', { error: describeError(error) });
      await options.clock.sleep(LIMITS.acquireRetryDelayMsMax);
    }
  }
}

/**
 * Results go to the partition of the camera id. A record under another key would put one camera's
 * results into two partitions, and their order would be gone.
 */
function checkKey({ record }: Delivery, { cameraId }: FrameRecord): void {
  if (record.key === cameraId) return;
  throw new HalfsightError(
    'record-malformed',
    `frame record of camera ${cameraId} has the key ${JSON.stringify(record.key)}.`,
    { advice: 'The key of a frame record must be its camera id.' },
  );
}

function checkFrame(frame: FrameRecord, bundle: Bundle): BitstreamHeader {
  const { input } = bundle.manifest;
  if (frame.inputWidth !== input.width || frame.inputHeight !== input.height) {
    throw new HalfsightError(
      'bitstream-shape-mismatch',
      `frame was encoded for an input of ${frame.inputWidth}x${frame.inputHeight}; bundle ` +
        `${bundle.manifest.name} has ${input.width}x${input.height}.`,
      { advice: 'Give the camera agent the same bundle.' },
    );
  }
  const lookup = (hash: string) => bundle.tablesByHash.get(hash);
  const header = checkBitstream(frame.bitstream, lookup, bundle.latentShape());
  checkRatePoint(frame.ratePoint, header, bundle);
  return header;
}

/** The body undoes the scaling of the rate point: with another one, results would be nonsense. */
function checkRatePoint(ratePoint: number, header: BitstreamHeader, bundle: Bundle): void {
  if (header.ratePoint !== ratePoint) {
    const message = `frame record says rate point ${ratePoint}, its bitstream ${header.ratePoint}.`;
    throw new HalfsightError('record-malformed', message);
  }
  const tables = bundle.tablesByRatePoint[ratePoint];
  if (tables !== undefined && shortHash(tables.hash) === header.tableHash) return;
  throw new HalfsightError(
    'bitstream-tables-unknown',
    `the bitstream was coded with tables ${header.tableHash}, which are not those of rate point ` +
      `${ratePoint} of bundle ${bundle.manifest.name}.`,
    { advice: 'Run the bundle that the camera agent runs.' },
  );
}
