import type { Framing } from '#schemas/framing.ts';

/** What is known of a result besides what it says. */
export interface Arrival {
  /** From capture to arrival. */
  readonly ageMs: number;
  /** Its frame has a trace. */
  readonly traced: boolean;
}

/** A result as it came, and what reads it. */
export interface ResultRecord {
  readonly value: Uint8Array;
  readonly framing: Framing;
}

/** How a result came. */
export interface Received {
  readonly arrival: Arrival;
  readonly record: ResultRecord;
  /** Of the topic that it was read from. */
  readonly partition: number;
}
