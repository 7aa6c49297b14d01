import type { Bundle } from '#models/bundle.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { parseFrameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { findFrame } from './find-frame.ts';
import { inspectRecord } from './inspect-record.ts';
import type { Inspection } from './inspection.ts';

export interface FrameInspectorOptions {
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly framing: Framing;
  /** Its tables decode the bitstreams. */
  readonly bundle: Bundle;
  readonly clock: Clock;
}

/** Finds a frame's record on the frame topic, and says where its bits went. */
export class FrameInspector {
  readonly #options: FrameInspectorOptions;

  constructor(options: FrameInspectorOptions) {
    this.#options = options;
  }

  /**
   * `captureTimeUs`, from a result of the frame, makes it quick. Throws `usage-invalid` for what is
   * no frame id, and the broker's errors.
   */
  async inspect(frameId: string, captureTimeUs?: number): Promise<Inspection> {
    const wanted = parseFrameId(frameId);
    if (wanted === undefined) {
      throw new HalfsightError('usage-invalid', `${JSON.stringify(frameId)} is no frame id.`, {
        advice: 'It is CAMERA-EPOCH-SEQUENCE, as results have it.',
      });
    }
    const { broker, topics, framing, bundle, clock } = this.#options;
    const topic = topics.frames.name;
    const found = await findFrame(wanted, captureTimeUs, { broker, topic, clock });
    if ('found' in found) return found;
    const value = framedValue(found);
    if (value !== null) await framing.learn(value);
    return inspectRecord(found, { framing, bundle });
  }
}
