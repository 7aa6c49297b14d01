import { STATUS_CODES } from 'node:http';
import { ERRORS, type ErrorCode, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** What can be wrong with a request as such. Codes are never reused or renamed. */
export const REQUEST_PROBLEMS = {
  'request-invalid': 400,
  'request-unreadable': 400,
  'token-missing': 401,
  'token-wrong': 401,
  'origin-refused': 403,
  'route-missing': 404,
  'method-refused': 405,
  'request-too-slow': 408,
  'precondition-failed': 412,
  'body-too-large': 413,
  'media-type-refused': 415,
  'rate-exceeded': 429,
  'internal-error': 500,
  'not-ready': 503,
  'read-too-slow': 504,
} as const;

export type RequestProblem = keyof typeof REQUEST_PROBLEMS;

/** Where an operating error says something else than that we, or what we need, do not work. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'usage-invalid': 400,
  'camera-invalid': 400,
  'camera-missing': 404,
  'camera-conflict': 409,
  'registry-full': 409,
  'registry-refused': 503,
  'queue-refused': 503,
  'queue-full': 409,
  'job-conflict': 409,
  'job-missing': 404,
  'broker-refused': 503,
  'settings-invalid': 503,
};

/** One place of a request that is wrong. */
export interface Mistake {
  /** JSON pointer into the body (`#/labels/site`), or the name of a parameter or header. */
  readonly pointer: string;
  readonly detail: string;
}

interface ProblemOptions {
  readonly advice?: string | undefined;
  readonly mistakes?: readonly Mistake[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is a problem as RFC 9457 has it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: RequestProblem | ErrorCode;
  readonly status: number;
  readonly advice: string | undefined;
  readonly mistakes: readonly Mistake[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: RequestProblem | ErrorCode,
    detail: string,
    { advice, mistakes = [], headers = {} }: ProblemOptions = {},
  ) {
    super(detail);
    this.code = code;
    this.status = statusOf(code);
    this.advice = advice;
    this.mistakes = mistakes;
    this.headers = headers;
  }
}

export function stopsNow(): Problem {
  return new Problem('not-ready', 'the API is about to stop.', {
    headers: { 'retry-after': String(LIMITS.controlRetryAfterMs / 1000) },
  });
}

/** `application/problem+json`. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly advice?: string;
  readonly errors?: readonly Mistake[];
  readonly requestId: string;
}

export function problemBody(problem: Problem, requestId: string): ProblemBody {
  const { code, status, message: detail, advice, mistakes } = problem;
  return {
    type: `urn:halfsight:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    ...{ status, detail, code },
    ...(advice === undefined ? {} : { advice }),
    ...(mistakes.length === 0 ? {} : { errors: mistakes }),
    requestId,
  };
}

/** Undefined for a mistake of the program, of which the client learns nothing. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof HalfsightError) return problemOfOperation(error);
  return problemOfHttp(error as FastifyProblem);
}

function problemOfOperation({ code, message, advice, canRetry }: HalfsightError): Problem {
  const headers = canRetry ? { 'retry-after': String(LIMITS.controlRetryAfterMs / 1000) } : {};
  const usual = canRetry
    ? 'Nothing needs to be done here: try again after Retry-After.'
    : undefined;
  return new Problem(code, message, { advice: advice ?? usual, headers });
}

/** What Fastify says of a request that never reached a handler. */
interface FastifyProblem {
  readonly code?: string;
  readonly message?: string;
  readonly statusCode?: number;
}

const JSON_ADVICE = 'GET /openapi.json describes what each route takes.';

function problemOfHttp({ code, message, statusCode = 500 }: FastifyProblem): Problem | undefined {
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('body-too-large', 'the body is too large.', {
        advice: `It may have ${LIMITS.controlBodyBytesMax} bytes.`,
      });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new Problem('request-unreadable', 'the body is empty, and should be JSON.', {
        advice: 'Leave Content-Type out where there is no body.',
      });
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new Problem('request-unreadable', 'the body is no JSON.', { advice: JSON_ADVICE });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('media-type-refused', 'this media type is not known.', {
        advice: JSON_ADVICE,
      });
    default:
      if (statusCode >= 500 || statusCode < 400) return undefined;
      return new Problem('request-unreadable', `the request cannot be read: ${message}.`, {
        advice: JSON_ADVICE,
      });
  }
}

function statusOf(code: RequestProblem | ErrorCode): number {
  if (Object.hasOwn(REQUEST_PROBLEMS, code)) return REQUEST_PROBLEMS[code as RequestProblem];
  const known = code as ErrorCode;
  return STATUS[known] ?? (ERRORS[known].retry ? 503 : 500);
}
