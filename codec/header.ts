import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** What all versions of the container say, and what their parsers share. */
export interface BitstreamHeader extends LatentShape {
  /** intra: the latent alone. inter: coded against an earlier latent. */
  readonly frameType: 'intra' | 'inter';
  /** Sequence number of the frame that an inter frame refers to. */
  readonly referenceSequence: number | undefined;
  readonly ratePoint: number;
  /** The beginning of the tables' SHA-256, 16 hex digits. */
  readonly tableHash: string;
  /** Present where the tables of the latent are chosen by a second, smaller latent. */
  readonly side: SideHeader | undefined;
}

export interface LatentShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface SideHeader extends LatentShape {
  /** CRC-32 over one byte for each symbol of the latent: the table that the camera chose. */
  readonly indexChecksum: number;
  /** Choices too close to call, in the order of their symbols; see hyperprior.ts. */
  readonly corrections: readonly Correction[];
}

export interface Correction {
  readonly symbol: number;
  readonly tableIndex: number;
}

export interface Chunk {
  readonly channelCount: number;
  readonly payload: Uint8Array;
}

export interface Container {
  readonly header: BitstreamHeader;
  /** The side latent's, in one chunk. */
  readonly sidePayload: Uint8Array | undefined;
  /** Of the latent, in channel order. Payloads are views of the bitstream. */
  readonly chunks: readonly Chunk[];
}

export const MAGIC = [0x48, 0x53] as const;
/** An rANS stream is its 8-byte state and whole 4-byte words. */
export const PAYLOAD_BYTES_MIN = 8;
/** Of a table hash, in a bitstream. */
export const HASH_BYTES = 8;

/** Bounds that hold before anything is allocated for a latent. */
export function isShapeAllowed({ channels, height, width }: LatentShape): boolean {
  return (
    channels >= 1 &&
    height >= 1 &&
    width >= 1 &&
    channels <= LIMITS.latentChannelsMax &&
    height <= LIMITS.latentSideMax &&
    width <= LIMITS.latentSideMax &&
    channels * height * width <= LIMITS.latentSymbolsMax
  );
}

export function symbolCount({ channels, height, width }: LatentShape): number {
  return channels * height * width;
}

/** Reads a bitstream from front to back; nothing is read that is not there. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#position;
  }

  get rest(): number {
    return this.#bytes.length - this.#position;
  }

  /** A view of what was read from `start` on. */
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#position);
  }

  /** A view of the next bytes. */
  take(length: number, what: string): Uint8Array {
    if (length > this.rest) {
      const message = `the bitstream ends after ${this.#bytes.length} bytes, in ${what}.`;
      throw new HalfsightError('bitstream-truncated', message);
    }
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }

  /** Little-endian, of 1 to 4 bytes. */
  takeInteger(length: number, what: string): number {
    return this.take(length, what).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  /** Seven bits a byte, least significant first, in as few bytes as there can be. */
  takeVarint(what: string): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.takeInteger(1, what);
      value += (byte & 127) * scale;
      if (!Number.isSafeInteger(value)) throw malformed(`${what} is too large`);
      if (byte >= 128) continue;
      if (byte === 0 && scale > 1) throw malformed(`${what} is longer than it must be`);
      return value;
    }
  }
}

export function malformed(what: string): HalfsightError {
  return new HalfsightError('bitstream-malformed', `the bitstream is malformed: ${what}.`);
}

export function damaged(what: string): HalfsightError {
  const message = `${what} of the bitstream or its header is damaged.`;
  return new HalfsightError('bitstream-checksum-mismatch', message);
}
