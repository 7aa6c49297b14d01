import type { Broker, Consumer, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { type CameraStatus, decodeCameraStatus } from '#schemas/camera-status.ts';
import { decodeFrame } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';

/** What the topics say of one camera. */
interface Camera {
  readonly epochs: Map<number, Epoch>;
  newestEpoch: number;
  /** Of the newest frame, by the clock of whoever looks on; -Infinity: none yet. */
  arrivedMs: number;
}

interface Epoch {
  readonly agents: Set<string>;
  readonly sequences: Set<number>;
  final: CameraStatus | undefined;
}

/** How frames arrived between two calls of `cut`; a gap belongs to where it ends. */
export interface Arrivals {
  readonly frames: number;
  /** From capture to the reader, ms. */
  readonly ageP50Ms: number;
  readonly ageP95Ms: number;
  /** The longest time without a frame of one camera that had some before, ms. */
  readonly longestGapMs: number;
}

export interface Books {
  readonly epochs: number;
  readonly captured: number;
  readonly published: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** What is wrong, a line each. */
  readonly faults: readonly string[];
}

/**
 * Reads the frames and statuses of a fleet while they come, and keeps its books: who owned a camera
 * in each epoch, and whether every captured frame is on the topic or was counted as dropped.
 */
export class FleetWatch {
  readonly #topics: TopicTable;
  readonly #consumer: Consumer;
  readonly #framing = singleObjectFraming();
  readonly #cameras = new Map<string, Camera>();
  readonly #faults: string[] = [];
  #agesMs: number[] = [];
  #longestGapMs = 0;

  constructor(broker: Broker, topics: TopicTable) {
    this.#topics = topics;
    this.#consumer = broker.openConsumer({
      groupId: `${topics.frames.name}-watch`,
      topics: [topics.frames.name, topics.status.name],
      from: 'earliest',
      readCommitted: true,
      commit: 'none',
    });
  }

  async start(): Promise<void> {
    let isBegun = false;
    await this.#consumer.start({
      onAssigned: () => {
        if (isBegun) this.#faults.push('the reader lost its place');
        isBegun = true;
      },
      onRevoked: () => undefined,
      onRecords: (records) => {
        for (const record of records) this.#enter(record);
      },
      onFailed: (error) => this.#faults.push(`the reader ended: ${error.message}`),
    });
  }

  stop(): Promise<void> {
    return this.#consumer.stop();
  }

  /** When the newest frame of a camera arrived, in an epoch above this one; undefined: none yet. */
  arrivedMs(cameraId: string, aboveEpoch = 0): number | undefined {
    const camera = this.#cameras.get(cameraId);
    if (camera === undefined || camera.newestEpoch <= aboveEpoch) return undefined;
    return camera.arrivedMs;
  }

  epochOf(cameraId: string): number {
    return this.#cameras.get(cameraId)?.newestEpoch ?? 0;
  }

  /** Whether all epochs of the camera are closed. */
  isOver(cameraId: string): boolean {
    const epochs = [...(this.#cameras.get(cameraId)?.epochs.values() ?? [])];
    return epochs.length > 0 && epochs.every(({ final }) => final !== undefined);
  }

  /** Of what arrived since the last call. */
  cut(): Arrivals {
    const nowMs = systemClock.monotonicMs();
    for (const camera of this.#cameras.values()) {
      if (![...camera.epochs.values()].at(-1)?.final) this.#gap(camera, nowMs);
    }
    const ages = this.#agesMs.sort((a, b) => a - b);
    const at = (share: number) => Math.round(ages[Math.floor(ages.length * share)] ?? 0);
    const arrivals = {
      frames: ages.length,
      ageP50Ms: at(0.5),
      ageP95Ms: at(0.95),
      longestGapMs: Math.round(this.#longestGapMs),
    };
    this.#agesMs = [];
    this.#longestGapMs = 0;
    return arrivals;
  }

  /** Of all that has been read. All agents have stopped, and their last statuses have arrived. */
  books(): Books {
    const faults = [...this.#faults];
    const dropped: Record<string, number> = {};
    let [epochs, captured, published] = [0, 0, 0];
    for (const [cameraId, camera] of this.#cameras) {
      for (const [epoch, { agents, sequences, final }] of camera.epochs) {
        epochs += 1;
        const name = `${cameraId} in epoch ${epoch}`;
        if (agents.size !== 1) faults.push(`${name}: its owners are ${[...agents].join(' and ')}`);
        if (final === undefined) {
          faults.push(`${name}: never closed`);
          continue;
        }
        captured += final.captured;
        published += sequences.size;
        for (const [reason, count] of Object.entries(final.dropped)) {
          dropped[reason] = (dropped[reason] ?? 0) + count;
        }
        faults.push(...faultsOf(final, sequences).map((fault) => `${name}: ${fault}`));
      }
    }
    return { epochs, captured, published, dropped, faults };
  }

  #enter({ topic, key, value }: IncomingRecord): void {
    if (key === null) return;
    const camera = this.#camera(key);
    if (topic === this.#topics.status.name) {
      const status = decodeCameraStatus(value, this.#framing);
      if (status.epoch === 0) return;
      const epoch = epochOf(camera, status.epoch);
      epoch.agents.add(status.agentId);
      if (status.final) epoch.final = status;
      return;
    }
    const { epoch, sequence, captureTimeUs } = decodeFrame(value, this.#framing);
    if (epoch < camera.newestEpoch) {
      this.#faults.push(`${key}: a frame of epoch ${epoch} after one of ${camera.newestEpoch}`);
    }
    const nowMs = systemClock.monotonicMs();
    this.#gap(camera, nowMs);
    camera.newestEpoch = Math.max(camera.newestEpoch, epoch);
    camera.arrivedMs = nowMs;
    epochOf(camera, epoch).sequences.add(sequence);
    this.#agesMs.push((systemClock.nowUs() - captureTimeUs) / 1000);
  }

  #gap({ arrivedMs }: Camera, nowMs: number): void {
    if (!Number.isFinite(arrivedMs)) return;
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - arrivedMs);
  }

  #camera(cameraId: string): Camera {
    const known = this.#cameras.get(cameraId);
    if (known !== undefined) return known;
    const added = { epochs: new Map(), newestEpoch: 0, arrivedMs: Number.NEGATIVE_INFINITY };
    this.#cameras.set(cameraId, added);
    return added;
  }
}

function epochOf({ epochs }: Camera, epoch: number): Epoch {
  const known = epochs.get(epoch);
  if (known !== undefined) return known;
  const added = { agents: new Set<string>(), sequences: new Set<number>(), final: undefined };
  epochs.set(epoch, added);
  return added;
}

/** An agent that was killed counts at least what it knew. */
function faultsOf(final: CameraStatus, { size }: ReadonlySet<number>): string[] {
  const { captured, published, dropped, interrupted } = final;
  const told = Object.values(dropped).reduce((sum, count) => sum + count, published);
  const faults = told === captured ? [] : [`${captured} captured, and ${told} accounted for`];
  const isThere = interrupted ? size >= published : size === published;
  return isThere ? faults : [...faults, `${published} published, and ${size} on the topic`];
}
