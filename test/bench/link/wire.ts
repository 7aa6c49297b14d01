import type { Arrival } from './arrivals.ts';
import type { Flow, Traffic } from './kafka-traffic.ts';

/** Of a packet of 1500 bytes: IPv4 (20) and TCP with time stamps (32), and what is left. */
const HEADER_BYTES = 52;
const SEGMENT_BYTES = 1448;

/** Bytes between one camera and its broker, IP included; without TLS and TCP's own answers. */
export interface Wire {
  /** The value of a frame's record. */
  readonly valueBytes: number;
  /** What Kafka's protocol adds to it: key, headers, record batch, request. */
  readonly protocolBytes: number;
  /** Computed: the proxy sees what is inside of the packets. */
  readonly headerBytes: number;
  /** A second, beside the frames. */
  readonly statusPerSecond: number;
  readonly otherPerSecond: number;
  /** A second, in the other direction. */
  readonly answersPerSecond: number;
}

/** Where each request carries one frame: the line is good, and the camera far from its limit. */
export function wireOf(traffic: Traffic, arrivals: readonly Arrival[], seconds: number): Wire {
  const { frames, status, other } = traffic;
  const valueBytes = arrivals.reduce((sum, one) => sum + one.valueBytes, 0) / arrivals.length;
  const requestBytes = frames.sentBytes / frames.requests;
  const answers = [frames, status, other].map(
    ({ receivedBytes, requests }) => receivedBytes + requests * HEADER_BYTES,
  );
  return {
    valueBytes,
    protocolBytes: requestBytes - valueBytes,
    headerBytes: Math.ceil(requestBytes / SEGMENT_BYTES) * HEADER_BYTES,
    statusPerSecond: sentPackets(status) / seconds,
    otherPerSecond: sentPackets(other) / seconds,
    answersPerSecond: answers.reduce((sum, bytes) => sum + bytes, 0) / seconds,
  };
}

/** Each of these requests fits into one packet. */
function sentPackets({ sentBytes, requests }: Flow): number {
  return sentBytes + requests * HEADER_BYTES;
}

export function bytesOfFrame({ valueBytes, protocolBytes, headerBytes }: Wire): number {
  return valueBytes + protocolBytes + headerBytes;
}

/** A line from a camera to its broker. */
export interface Line {
  readonly kilobits: number;
  /** One way. */
  readonly delayMs: number;
}

/**
 * Frames a second that the line carries one by one. A publisher has one request under way and sends
 * the next when it has the answer, whether to a frame or to the status of each second: a round trip
 * is lost on each. Above this rate frames share requests, which fits more of them and makes all of
 * them older.
 */
export function rateOf(wire: Wire, { kilobits, delayMs }: Line): number {
  const secondsFor = (bytes: number) => bytes / (kilobits * 125) + (2 * delayMs) / 1000;
  const statusShare = secondsFor(wire.statusPerSecond + wire.otherPerSecond);
  return Math.max(0, 1 - statusShare) / secondsFor(bytesOfFrame(wire));
}

/** TCP's bytes a second on a line of so many kbit/s. */
export function payloadPerSecond({ kilobits }: Line): number {
  return (kilobits * 125 * SEGMENT_BYTES) / (SEGMENT_BYTES + HEADER_BYTES);
}
