import { codeOf, type ErrorCode, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { WallError } from './protocol.ts';

/** What can be wrong with a request as such. Codes are never reused or renamed. */
const REFUSALS = {
  'request-invalid': 400,
  'token-missing': 401,
  'token-wrong': 401,
  'origin-refused': 403,
  'route-missing': 404,
  'camera-unknown': 404,
  'preview-missing': 404,
  'body-too-large': 413,
  'media-type-refused': 415,
  'rate-exceeded': 429,
  'internal-error': 500,
  'pages-too-many': 503,
  busy: 503,
  'page-missing': 503,
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** An answer that says what was wrong with the request, or why it cannot be followed now. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode | ErrorCode;
  readonly status: number;
  readonly advice: string;

  constructor(code: RefusalCode | ErrorCode, message: string, advice: string) {
    super(message);
    this.code = code;
    this.status = code in REFUSALS ? REFUSALS[code as RefusalCode] : 503;
    this.advice = advice;
  }

  get body(): { readonly error: WallError } {
    return { error: { code: this.code, message: this.message, advice: this.advice } };
  }
}

/** Undefined for a mistake of ours, of which nobody outside learns anything. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof HalfsightError) {
    const code = codeOf(error) ?? 'internal-error';
    return new Refusal(code, error.message, error.advice ?? 'The log of the wall says more.');
  }
  const { code, statusCode = 500, message } = error as FastifyProblem;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Refusal('body-too-large', 'the body is too large.', sizesAdvice());
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Refusal(
        'media-type-refused',
        'the body is no JSON.',
        'Send it with Content-Type: application/json; spans with ' +
          'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json.',
      );
    default:
      if (statusCode >= 500 || statusCode < 400) return undefined;
      return new Refusal('request-invalid', `the request cannot be read: ${message}.`, 'Mend it.');
  }
}

interface FastifyProblem {
  readonly code?: string;
  readonly message?: string;
  readonly statusCode?: number;
}

function sizesAdvice(): string {
  const { wallBodyBytesMax, wallSpansBytesMax } = LIMITS;
  return `It may have ${wallBodyBytesMax} bytes, with spans ${wallSpansBytesMax}.`;
}
