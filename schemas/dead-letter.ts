import { LIMITS } from '#runtime/limits.ts';
import type { Framing } from './framing.ts';
import { asBuffer, openRecord, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';

/** A record that could not be processed, with why and where it came from. */
export interface DeadLetter {
  /** An `ErrorCode` of `runtime/errors.ts`. */
  readonly reason: string;
  /** For a person: what was wrong with this one. */
  readonly detail: string;
  readonly frameId: string | null;
  readonly cameraId: string | null;
  readonly originTopic: string;
  readonly originPartition: number;
  readonly originOffset: number;
  readonly originTimestampMs: number;
  readonly originKey: Uint8Array | null;
  readonly originHeaders: Readonly<Record<string, Uint8Array>>;
  /** The record's bytes as they were, cut to `LIMITS.deadLetterOriginalBytesMax`. */
  readonly originValue: Uint8Array | null;
  /** Length of the record before the cut. */
  readonly originBytes: number;
  /** Consumer group that gave up on it. */
  readonly consumer: string;
  readonly failedTimeUs: number;
  /** SHA-256 of the consumer's `bundle.json`, hex. */
  readonly bundleDigest: string;
  /** Name and version of that bundle; empty in letters of version 1. */
  readonly bundleName: string;
  readonly bundleVersion: string;
  /** Of a mistake of ours that the record found; null for every other error. */
  readonly stack: string | null;
  /** How often the frame had been redriven before it failed here. */
  readonly redrives: number;
}

/** Cuts `originValue` to the limit; `originBytes` keeps saying how long it was. */
export function encodeDeadLetter(letter: DeadLetter, framing: Framing): Uint8Array {
  const headers = Object.entries(letter.originHeaders);
  const value = {
    ...letter,
    originKey: letter.originKey && asBuffer(letter.originKey),
    originHeaders: Object.fromEntries(headers.map(([name, bytes]) => [name, asBuffer(bytes)])),
    originValue:
      letter.originValue &&
      asBuffer(letter.originValue.subarray(0, LIMITS.deadLetterOriginalBytesMax)),
  };
  return sealRecord(RECORD_TYPES['dead-letter'], value, framing, LIMITS.messageBytesMax);
}

export function decodeDeadLetter(record: Uint8Array | null, framing: Framing): DeadLetter {
  const type = RECORD_TYPES['dead-letter'];
  return openRecord(type, record, framing, LIMITS.messageBytesMax) as DeadLetter;
}
