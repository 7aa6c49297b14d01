import {
  type BitstreamHeader,
  decodeOpened,
  type OpenBitstream,
  openBitstream,
} from '#codec/bitstream.ts';
import { shortHash } from '#codec/tables.ts';
import type { Bundle } from '#models/bundle.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { type Span, type Tracer, traceparentOf } from '#runtime/trace.ts';
import { decodeFrame, type FrameRecord } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import type { Batcher } from './batch.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { Delivery, Outcome } from './delivery.ts';
import type { Fetch, FetchedDelivery } from './fetch.ts';
import type { Overload } from './overload.ts';
import type { Telemetry } from './telemetry.ts';

export interface DecodeOptions {
  readonly bundle: Bundle;
  readonly framing: Framing;
  readonly deadLetter: (delivery: Delivery, error: unknown) => Outcome;
  readonly overload: Pick<Overload, 'skips'>;
  /** The outcome of a frame that no head shall run on. */
  readonly skip: (frame: DecodedFrame) => Outcome;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
}

/** The entropy coder takes two streams side by side in little more time than one. */
const FRAMES_SIDE_BY_SIDE = 2;

/** Decodes what was fetched until fetch is closed; several frames at once where they are there. */
export async function runDecode(fetch: Fetch, batcher: Batcher, options: DecodeOptions) {
  for (;;) {
    const room = await batcher.room();
    const first = await fetch.next();
    if (first === undefined) break;
    const fetched = [first];
    while (fetched.length < Math.min(room, FRAMES_SIDE_BY_SIDE)) {
      const another = fetch.nextNow();
      if (another === undefined) break;
      fetched.push(another);
    }
    for (const decoded of await decodeDeliveries(fetched, options)) batcher.push(decoded);
    // Decoding takes milliseconds of this thread; heartbeats and fetches come in between.
    await options.clock.turn();
  }
  batcher.close();
}

/**
 * The latents of deliveries, in their order; without those that were settled (duplicates, dead
 * letters) or dropped.
 */
export async function decodeDeliveries(
  fetched: readonly FetchedDelivery[],
  options: DecodeOptions,
): Promise<DecodedFrame[]> {
  const opened: Opened[] = [];
  for (const each of fetched) {
    const one = await openDelivery(each, options);
    if (one === undefined) continue;
    if (options.overload.skips(one.delivery.record.timestampMs)) skip(one, options);
    else opened.push(one);
  }
  const outcomes = decodeOpened(opened.map(({ bitstream }) => bitstream));
  return opened.flatMap((one, index) => {
    const error = outcomes[index];
    if (error === undefined) return [finish(one)];
    refuse(one.delivery, error, one.spans, options);
    return [];
  });
}

function finish({ bitstream, spans, ...rest }: Opened): DecodedFrame {
  const frame = { ...rest, latent: bitstream.latent, ...spans.finish() };
  spans.decode.end();
  return frame;
}

/** Its symbols are not decoded: that would take longer than all the rest. */
function skip(opened: Opened, options: DecodeOptions): void {
  const frame = finish(opened);
  frame.delivery.settle(options.skip(frame));
}

/** A delivery whose record was read and whose symbols are still to be decoded. */
interface Opened extends Pick<DecodedFrame, 'delivery' | 'frame' | 'bitstreamBytes' | 'tableHash'> {
  readonly bitstream: OpenBitstream;
  readonly spans: Spans;
}

async function openDelivery(
  { lane, delivery }: FetchedDelivery,
  options: DecodeOptions,
): Promise<Opened | undefined> {
  const { clock, tracer, bundle } = options;
  const spans = startSpans(delivery, tracer, clock);
  try {
    await learnSchema(delivery, options);
    if (delivery.isDropped) {
      spans.decode.end();
      return undefined;
    }
    const frame = decodeFrame(delivery.record.value, options.framing);
    checkKey(delivery, frame);
    delivery.identity = frame;
    if (!lane.admit(frame, delivery.redrives)) {
      delivery.settle({ kind: 'duplicate', records: [], counters: ['duplicate-frame'] });
      spans.decode.end();
      return undefined;
    }
    return { ...openFrame(frame, bundle), delivery, spans };
  } catch (error) {
    refuse(delivery, error, spans, options);
    return undefined;
  }
}

function refuse(delivery: Delivery, error: unknown, spans: Spans, options: DecodeOptions): void {
  if (!(error instanceof HalfsightError)) {
    // Not an operating error: this record found a mistake of ours, which a person has to see.
    options.logger.error('decode-crashed', {
      error: describeError(error),
      stack: (error as Error).stack,
      partition: delivery.record.partition,
      offset: delivery.record.offset,
    });
  }
  spans.decode.fail(error);
  delivery.settle(options.deadLetter(delivery, error));
  spans.decode.end();
}

type Spans = ReturnType<typeof startSpans>;

/** The time in the lane's queue is the `fetch` span; both spans exist for sampled frames only. */
function startSpans(delivery: Delivery, tracer: Tracer, clock: Clock) {
  const { record, fetchTimeUs } = delivery;
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.destination.name': record.topic,
    'messaging.destination.partition.id': String(record.partition),
    'messaging.kafka.offset': record.offset,
  };
  const parent = traceparentOf(record.headers);
  const options = { kind: 'consumer', startTimeUs: fetchTimeUs, attributes } as const;
  const fetch: Span = tracer.start('fetch', { parent, ...options });
  fetch.end();
  const decode = tracer.start('decode', { parent: fetch.traceparent() });
  const finish = () => ({ decodedTimeUs: clock.nowUs(), traceparent: decode.traceparent() });
  return { decode, finish };
}

/** A registry that is away is no fault of the record: wait for it, for as long as it takes. */
async function learnSchema(delivery: Delivery, options: DecodeOptions): Promise<void> {
  const { value } = delivery.record;
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

function openFrame({ bitstream, ...frame }: FrameRecord, bundle: Bundle) {
  const { input } = bundle.manifest;
  if (frame.inputWidth !== input.width || frame.inputHeight !== input.height) {
    throw new HalfsightError(
      'bitstream-shape-mismatch',
      `frame was encoded for an input of ${frame.inputWidth}x${frame.inputHeight}; bundle ` +
        `${bundle.manifest.name} has ${input.width}x${input.height}.`,
      { advice: 'Give the camera agent the same bundle.' },
    );
  }
  const opened = openBitstream(
    bitstream,
    (hash) => bundle.tablesByHash.get(hash),
    bundle.latentShape(),
  );
  const { header } = opened;
  checkRatePoint(frame.ratePoint, header, bundle);
  const { tableHash } = header;
  return { frame, bitstream: opened, bitstreamBytes: bitstream.length, tableHash };
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
