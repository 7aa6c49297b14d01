import type { Bundle } from '#models/bundle.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { TRACEPARENT_HEADER, type Tracer } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import {
  encodeResult,
  type Result,
  type ResultEnvelope,
  type ResultStatus,
  type Task,
} from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { endWith } from './commit-trace.ts';
import type { Outcome } from './delivery.ts';
import type { AddedVersion, AddedVersions, Interval } from './engine-protocol.ts';
import type { Finding } from './heads/head.ts';
import type { ParsedFrame } from './parsed-frame.ts';
import type { CounterName } from './telemetry.ts';

export interface PublishOptions {
  readonly bundle: Bundle;
  /** Active heads: each frame has one result of each. */
  readonly heads: readonly Task[];
  readonly framing: Framing;
  readonly topics: TopicTable;
  readonly tracer: Tracer;
  /** What else stands in the headers of each result. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What the engine found in one frame. */
export interface FrameFindings {
  /** Of the heads that ran, be it for another frame of the batch. */
  readonly findings: readonly Finding[];
  /** When each of them was computed. */
  readonly intervals: readonly Interval[];
  /** Those of the live heads that are not the bundle's own; absent: none. */
  readonly added?: AddedVersions | undefined;
  /** Of the span that led here; undefined when the frame is not sampled. */
  readonly traceparent: string | undefined;
}

/**
 * The results of one frame, one per active head, as the records that its transaction writes. A head
 * that found nothing says so in an empty result; one that is not wanted of the frame, or did not
 * run, by the status `unwanted` or `shed`.
 */
export function resultsOutcome(
  parsed: ParsedFrame,
  found: FrameFindings,
  options: PublishOptions,
): Outcome {
  const span = options.tracer.start('publish', { kind: 'producer', parent: found.traceparent });
  const traceparent = span.traceparent();
  const headers = {
    ...options.headers,
    'frame-id': frameId(parsed.frame),
    ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }),
  };
  try {
    const counters: CounterName[] = [];
    const records = options.heads.map((task): OutgoingRecord => {
      const index = found.findings.findIndex((finding) => finding.task === task);
      const status = statusOf(parsed.heads.includes(task), found.findings[index]);
      const finding = status === 'ok' ? found.findings[index] : undefined;
      const endUs = status === 'ok' ? found.intervals[index]?.endUs : undefined;
      const inferTimeUs = endUs ?? parsed.parsedTimeUs;
      counters.push(status === 'ok' ? `results-${task}` : `results-${status}-${task}`);
      const made = { task, status, inferTimeUs, by: found.added?.[task] } as const;
      const envelope = envelopeOf(parsed, made, options.bundle);
      const result = resultOf(envelope, finding ?? NOTHING[task]);
      const value = encodeResult(result, options.framing);
      const topic = options.topics.results[task].name;
      return { topic, key: parsed.frame.cameraId, value, headers };
    });
    return {
      kind: 'results',
      records,
      counters,
      frame: { captureTimeUs: parsed.frame.captureTimeUs, traceparent },
      onEnd: (isCommitted, transactionTimeUs) => {
        span.set('halfsight.committed', isCommitted);
        endWith(span, transactionTimeUs, options.tracer);
      },
    };
  } catch (error) {
    span.fail(error);
    span.end();
    throw error;
  }
}

function statusOf(
  isWanted: boolean,
  finding: Finding | undefined,
): Exclude<ResultStatus, 'unknown'> {
  if (!isWanted) return 'unwanted';
  return finding === undefined ? 'shed' : 'ok';
}

/** Of a head that says nothing of the frame. */
const NOTHING: Readonly<Record<Task, Finding>> = {
  classification: { task: 'classification', classifications: [] },
  detection: { task: 'detection', detections: [] },
  segmentation: { task: 'segmentation', masks: [] },
};

function resultOf(envelope: ResultEnvelope, finding: Finding): Result {
  switch (finding.task) {
    case 'classification':
      return { ...envelope, ...finding };
    case 'detection':
      return { ...envelope, ...finding, bboxFormat: 'xyxy_normalized' };
    case 'segmentation':
      return { ...envelope, ...finding, maskFrame: 'source' };
  }
}

function envelopeOf(
  { frame, delivery, tableHash }: ParsedFrame,
  made: Pick<ResultEnvelope, 'status' | 'inferTimeUs'> & {
    readonly task: Task;
    /** Undefined: the bundle's own head. */
    readonly by: AddedVersion | undefined;
  },
  { manifest, digest }: Bundle,
): ResultEnvelope {
  const { task, status, inferTimeUs, by } = made;
  const own = manifest.heads.find((head) => head.task === task);
  return {
    cameraId: frame.cameraId,
    epoch: frame.epoch,
    sequence: frame.sequence,
    captureTimeUs: frame.captureTimeUs,
    timeSource: frame.timeSource,
    encodeTimeUs: frame.encodeTimeUs,
    inferTimeUs,
    sourceWidth: frame.sourceWidth,
    sourceHeight: frame.sourceHeight,
    status,
    redrives: delivery.redrives,
    lineage: {
      bundleName: manifest.name,
      bundleVersion: manifest.version,
      bundleDigest: digest,
      headTask: task,
      headVersion: by?.version ?? own?.version ?? '',
      headDigest: by?.digest ?? '',
      ratePoint: frame.ratePoint,
      tableHash,
      bitstreamBytes: frame.bitstream.length,
    },
  };
}
