import type { Broker, OutgoingRecord, Producer } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type CameraStatus, encodeCameraStatus } from '#schemas/camera-status.ts';
import { frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import {
  encodeResult,
  type Result,
  type ResultEnvelope,
  TASKS,
  type Task,
} from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { cameraName, resultsAt } from '#test/fixtures/wall-scene.ts';

export interface LoadOptions {
  readonly cameraCount: number;
  readonly framesPerSecond: number;
}

const TICK_MS = 50;
/** Different pictures, and frames of each of them, that cameras take turns with. */
const PICTURES = 40;
const PHASES = 30;
const EPOCH = 1_700_000_000_000;
/** From capture to result. */
const AGE_US = 200_000;

type Findings = Pick<ReturnType<typeof resultsAt>, 'classification' | 'detection' | 'segmentation'>;

/** Writes what consumers and agents of a fleet would write, spread evenly over time. */
export class Load {
  readonly #producer: Producer;
  readonly #topics: TopicTable;
  readonly #options: LoadOptions;
  readonly #framing = singleObjectFraming();
  readonly #findings: readonly Findings[];
  readonly #sequences: number[];
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  /** Results that Kafka has acknowledged. */
  written = 0;

  static async open(broker: Broker, topics: TopicTable, options: LoadOptions): Promise<Load> {
    return new Load(await broker.openProducer(), topics, options);
  }

  constructor(producer: Producer, topics: TopicTable, options: LoadOptions) {
    this.#producer = producer;
    this.#topics = topics;
    this.#options = options;
    this.#sequences = Array.from({ length: options.cameraCount }, () => 0);
    // Masks take long to make up, and a fleet of pictures that repeat is drawn as any other.
    this.#findings = Array.from({ length: PICTURES * PHASES }, (_, index) => {
      return resultsAt(index % PICTURES, Math.floor(index / PICTURES) * 500);
    });
  }

  start(): void {
    this.#running = Promise.all([this.#writeResults(), this.#writeStatuses()]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #writeResults(): Promise<void> {
    const { cameraCount, framesPerSecond } = this.#options;
    const startMs = systemClock.monotonicMs();
    let due = 0;
    while (!this.#stopping.signal.aborted) {
      const passedMs = systemClock.monotonicMs() - startMs;
      const wanted = Math.floor((passedMs / 1_000) * framesPerSecond * cameraCount);
      const records: OutgoingRecord[] = [];
      for (; due < wanted; due++) records.push(...this.#frame(due % cameraCount));
      if (records.length > 0) await this.#producer.send(records);
      this.written += records.length;
      await systemClock.sleep(TICK_MS, this.#stopping.signal);
    }
  }

  async #writeStatuses(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#producer.send(this.#sequences.map((_, index) => this.#status(index)));
      await systemClock.sleep(LIMITS.statusIntervalMs, this.#stopping.signal);
    }
  }

  #frame(index: number): OutgoingRecord[] {
    const sequence = this.#sequences[index] ?? 0;
    this.#sequences[index] = sequence + 1;
    const picture = (sequence % PHASES) * PICTURES + (index % PICTURES);
    const findings = this.#findings[picture] ?? {};
    const envelope = envelopeOf(index, sequence, systemClock.nowUs() - AGE_US);
    return TASKS.map((task) => ({
      topic: this.#topics.results[task].name,
      key: envelope.cameraId,
      value: encodeResult(resultOf(task, envelope, findings), this.#framing),
      headers: { 'frame-id': frameId(envelope) },
    }));
  }

  #status(index: number): OutgoingRecord {
    const captured = this.#sequences[index] ?? 0;
    const nowUs = systemClock.nowUs();
    const status: CameraStatus = {
      cameraId: cameraName(index),
      epoch: EPOCH,
      agentId: `agent-${1 + (index % 4)}`,
      state: 'online',
      captured,
      published: captured,
      dropped: {},
      reconnects: 0,
      lastFrameTimeUs: nowUs,
      framesPerSecond: this.#options.framesPerSecond,
      ratePoint: 1,
      framesPerSecondLimit: null,
      profileChanges: 0,
      timeUs: nowUs,
      final: false,
      interrupted: false,
      detail: '',
      sendsPictures: false,
    };
    const value = encodeCameraStatus(status, this.#framing);
    return { topic: this.#topics.status.name, key: status.cameraId, value, headers: {} };
  }
}

function resultOf(
  task: Task,
  envelope: ResultEnvelope,
  { classification, detection, segmentation }: Findings,
): Result {
  const base = { ...envelope, lineage: { ...envelope.lineage, headTask: task } };
  switch (task) {
    case 'classification':
      return {
        ...base,
        task,
        classifications: (classification?.labels ?? []).map(([label, score], classId) => {
          return { classId, label, score };
        }),
      };
    case 'detection':
      return {
        ...base,
        task,
        bboxFormat: 'xyxy_normalized',
        detections: (detection?.boxes ?? []).map(([label, score, ...box], classId) => {
          return { classId, label, score, box };
        }),
      };
    case 'segmentation':
      return {
        ...base,
        task,
        maskFrame: 'source',
        masks: (segmentation?.masks ?? []).map(([label, areaFraction, mask], classId) => {
          return { classId, label, areaFraction, mask };
        }),
      };
  }
}

function envelopeOf(index: number, sequence: number, captureTimeUs: number): ResultEnvelope {
  return {
    cameraId: cameraName(index),
    epoch: EPOCH,
    sequence,
    captureTimeUs,
    timeSource: 'synthetic',
    encodeTimeUs: captureTimeUs + AGE_US / 4,
    inferTimeUs: captureTimeUs + AGE_US / 2,
    sourceWidth: 640,
    sourceHeight: 360,
    status: 'ok',
    redrives: 0,
    lineage: {
      bundleName: 'made-up',
      bundleVersion: '1',
      bundleDigest: 'ab'.repeat(32),
      headTask: '',
      headVersion: '1',
      headDigest: '',
      ratePoint: 1,
      tableHash: '0123456789abcdef',
      bitstreamBytes: 3_000 + (index % 7) * 100,
    },
  };
}
