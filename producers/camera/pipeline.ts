import type { OutgoingRecord } from '#runtime/broker.ts';
import type { Cameras } from './cameras.ts';
import type { Frame } from './capture.ts';
import type { EncodedImage, Encoder } from './encode.ts';
import type { Journey } from './journey.ts';
import type { Publisher } from './publish.ts';
import type { StatusReporter } from './status.ts';

/** The stages of the camera agent, in the order in which a frame passes them. */
export interface Stages {
  /** cameras.ts, capture.ts, sources/: pixels become frames with identity and time. */
  readonly capture: Pick<Cameras, 'start' | 'stop'>;
  /**
   * journey.ts: from here on every frame ends as published or dropped, and is counted. Undefined
   * when it was dropped.
   */
  readonly begin: (frame: Frame) => Journey | undefined;
  /** encode.ts: pixels become a bitstream; the newest frame of each camera wins. */
  readonly encode: Encoder;
  /** wrap.ts: the bitstream becomes an Avro record. Undefined when it was dropped. */
  readonly wrap: (journey: Journey, encoded: EncodedImage) => OutgoingRecord | undefined;
  /**
   * publish.ts, spool.ts: records wait, in order, until the broker has acknowledged them: in
   * memory, and on disk when that takes long.
   */
  readonly publish: Publisher;
  /** status.ts: what became of the frames, for everyone to check. */
  readonly status: StatusReporter;
}

/** The route of a frame through the camera agent. */
export class Pipeline {
  readonly #stages: Stages;

  constructor(stages: Stages) {
    this.#stages = stages;
  }

  async start(): Promise<void> {
    const { capture, begin, encode, wrap, publish, status } = this.#stages;
    await encode.start((journey, encoded) => {
      const record = wrap(journey, encoded);
      if (record !== undefined) publish.publish(journey, record);
    });
    publish.start();
    status.start();
    capture.start((frame) => {
      const journey = begin(frame);
      if (journey !== undefined) encode.submit(journey, frame.image.pixels);
    });
  }

  /** Lets every frame that was captured come to its end. */
  async drain(): Promise<void> {
    const { capture, encode, publish, status } = this.#stages;
    await capture.stop();
    await encode.drain();
    await publish.drain();
    await status.finish();
    publish.close();
    await encode.close();
  }
}
