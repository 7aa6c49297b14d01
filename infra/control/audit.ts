import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Logger } from '#runtime/log.ts';
import type { Telemetry } from './telemetry.ts';

/** One thing that a client did. */
export interface Deed {
  /** Such as `camera-replaced`. */
  readonly what: string;
  /** Which one. */
  readonly subject: string;
  /** What was there, as clients see it: without passwords. Undefined: nothing. */
  readonly before?: object | undefined;
  readonly after?: object | undefined;
}

export type Audit = (request: FastifyRequest, deed: Deed) => void;

/** One line a change: who, from where, what, and the digests of before and after. */
export function auditTo(logger: Logger, telemetry: Telemetry): Audit {
  return ({ id, caller, ip }, { what, subject, before, after }) => {
    telemetry.count('changes');
    logger.info('audit', {
      ...{ who: caller, from: ip, what, subject },
      ...{ before: digestOf(before), after: digestOf(after), requestId: id },
    });
  };
}

/** Of the JSON with its keys in order, so that anyone can compute it from what GET answers. */
export function digestOf(value: object | undefined): string {
  if (value === undefined) return 'none';
  const hash = createHash('sha256').update(JSON.stringify(value, inOrder));
  return hash.digest('hex').slice(0, 16);
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
