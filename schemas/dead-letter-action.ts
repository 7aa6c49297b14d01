import { LIMITS } from '#runtime/limits.ts';
import { checkCounts } from './bounds.ts';
import type { Framing } from './framing.ts';
import { openRecord, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';

/** `unknown` is what an old reader sees in place of an action that was added later. */
export type DeadLetterActionKind = 'redriven' | 'discarded' | 'unknown';

/** What was done about one dead letter; a letter has one action at most. */
export interface DeadLetterAction {
  readonly action: DeadLetterActionKind;
  readonly letterPartition: number;
  readonly letterOffset: number;
  /** 1, 2, 3, ... over the actions on letters of that partition. */
  readonly number: number;
  readonly frameId: string | null;
  readonly note: string;
  /** user@host */
  readonly by: string;
  readonly timeUs: number;
}

export function encodeDeadLetterAction(action: DeadLetterAction, framing: Framing): Uint8Array {
  checkAction(action);
  const type = RECORD_TYPES['dead-letter-action'];
  return sealRecord(type, action, framing, LIMITS.deadLetterActionBytesMax);
}

export function decodeDeadLetterAction(
  record: Uint8Array | null,
  framing: Framing,
): DeadLetterAction {
  const type = RECORD_TYPES['dead-letter-action'];
  const value = openRecord(type, record, framing, LIMITS.deadLetterActionBytesMax);
  const action = value as DeadLetterAction;
  checkAction(action);
  return action;
}

function checkAction({ letterPartition, letterOffset, number }: DeadLetterAction): void {
  checkCounts('dead-letter-action', 'number', { letterPartition, letterOffset, number });
}
