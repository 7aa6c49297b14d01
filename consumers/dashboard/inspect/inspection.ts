import type { Rectangle, TimeSource } from '#schemas/frame.ts';

/** What is known of one frame by its record on the frame topic; plain JSON throughout. */
export type Inspection = FoundFrame | MissingFrame;

export interface MissingFrame {
  readonly found: false;
  readonly frameId: string;
  /**
   * `deleted`: Kafka keeps nothing of that time any more; `not-found`: it does, and the frame is
   * not there; `gave-up`: what is near its time was too much to be read.
   */
  readonly reason: 'deleted' | 'not-found' | 'gave-up';
  /** For a person, in a sentence. */
  readonly detail: string;
  /** Records that were looked at, and their bytes. */
  readonly recordsRead: number;
  readonly bytesRead: number;
}

export interface FoundFrame {
  readonly found: true;
  /** Null: a file's record that does not say it. */
  readonly frameId: string | null;
  readonly record: RecordFacts;
  /** Null: the record cannot be read, and `problem` says why. */
  readonly frame: FrameFacts | null;
  /** Null: neither can its bitstream. */
  readonly bitstream: BitstreamFacts | null;
  /** Null: its symbols were not decoded. */
  readonly latent: LatentFacts | null;
  /** Why one of them is null. */
  readonly problem: InspectionProblem | null;
}

export interface InspectionProblem {
  /** A code of runtime/errors.ts: `bitstream-tables-unknown` wants another bundle. */
  readonly code: string;
  readonly message: string;
  /** What to do about it, where that is known. */
  readonly advice: string | null;
}

/** The record as Kafka has it. `topic`, `partition` and `offset` are null where a file was read. */
export interface RecordFacts {
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly key: string | null;
  /** Broker or producer time, milliseconds since the Unix epoch; null for a file. */
  readonly timestampMs: number | null;
  /** Of the value. */
  readonly bytes: number;
  /** As text; hex after `0x` where they are none. */
  readonly headers: Readonly<Record<string, string>>;
  /** Trace that the frame belongs to, 32 hex digits; null: it is not sampled. */
  readonly traceId: string | null;
}

/** What the record says of its frame. */
export interface FrameFacts {
  readonly cameraId: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly captureTimeUs: number;
  readonly timeSource: TimeSource;
  readonly encodeTimeUs: number;
  /** Time in the encoder network and the entropy coder, microseconds. */
  readonly encodeDurationUs: number;
  /** Pixels of the camera's picture and of the encoder's input; where the one lies in the other. */
  readonly source: { readonly width: number; readonly height: number };
  readonly input: { readonly width: number; readonly height: number };
  readonly content: Rectangle;
  /** The Avro schema that it was written with: its fingerprint or its id in the registry. */
  readonly schema: { readonly name: string; readonly isCurrent: boolean };
  readonly bundle: { readonly name: string; readonly version: string; readonly digest: string };
  readonly ratePoint: number;
  /** Its name in the bundle at hand; null: that bundle is another one. */
  readonly ratePointName: string | null;
  /** Frames of this camera and epoch that were dropped before this one, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Tasks that the camera wants; null: all. */
  readonly heads: readonly string[] | null;
}

/** What the bitstream's header says; read without tables. */
export interface BitstreamFacts {
  readonly bytes: number;
  /** Of the container. */
  readonly version: number;
  readonly frameType: 'intra' | 'inter';
  readonly prior: 'factorised' | 'hyperprior';
  readonly ratePoint: number;
  /** The first 8 bytes of the tables' SHA-256, hex. */
  readonly tableHash: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Of the latent, in channel order. */
  readonly chunks: readonly { readonly channels: number; readonly bytes: number }[];
  /** Of a hyperprior: the latent that chooses the tables. */
  readonly side: {
    readonly channels: number;
    readonly height: number;
    readonly width: number;
    readonly bytes: number;
    readonly corrections: number;
  } | null;
  /** Entropy-coded bytes: of all chunks, and of the side latent. */
  readonly payloadBytes: number;
  /** The rest: header, chunk list, checksums. */
  readonly containerBytes: number;
}

/** Where the bits went. Channels, the coder's state and the container make the whole bitstream. */
export interface LatentFacts {
  /** Bits of all symbols, as the tables have it: the sum over the channels. */
  readonly bits: number;
  /** Bits of the payload that no symbol takes: each chunk ends with the coder's state. */
  readonly stateBits: number;
  readonly symbols: number;
  /** Symbols that are not 0. */
  readonly nonZero: number;
  /** By channel number. */
  readonly channels: readonly ChannelFacts[];
  readonly energy: EnergyMap;
}

export interface ChannelFacts {
  readonly bits: number;
  /** Of all bits of the symbols, 0 to 1. */
  readonly share: number;
  readonly nonZero: number;
  /** Mean and largest |symbol|. */
  readonly meanMagnitude: number;
  readonly peakMagnitude: number;
}

/**
 * How much happens where in the picture. The latent's grid lies over the encoder's input, letterbox
 * included; cells are joined, by their mean, where there are more than `LIMITS.energyMapSideMax`.
 */
export interface EnergyMap {
  readonly width: number;
  readonly height: number;
  /** Row by row: bits that the cell took, over all channels; mean of the cells that were joined. */
  readonly bits: readonly number[];
  /** Row by row: the sum of |symbol| over all channels. */
  readonly magnitude: readonly number[];
}
