import { Problem } from './problem.ts';

/** The ETag of a camera is its version (RFC 9110, 8.8.3). */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** Conditional headers of one request. */
export interface ConditionalHeaders {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

/** What a client says that is there before it changes it; `*` is any version. */
export class Preconditions {
  readonly #match: Tags | undefined;
  readonly #noneMatch: Tags | undefined;

  /** Throws a `Problem` for a header that cannot be read. */
  constructor(headers: ConditionalHeaders) {
    this.#match = readTags('If-Match', headers['if-match']);
    this.#noneMatch = readTags('If-None-Match', headers['if-none-match']);
  }

  /** Throws `precondition-failed` unless all holds. `version` undefined: there is none. */
  check(id: string, version: number | undefined): void {
    const isMatch = this.#match === undefined || holds(this.#match, version, isStrong);
    const isNew = this.#noneMatch === undefined || !holds(this.#noneMatch, version, isAny);
    if (isMatch && isNew) return;
    const found = version === undefined ? 'is not there' : `has version ${version}`;
    const said = isMatch ? 'If-None-Match' : 'If-Match';
    throw new Problem('precondition-failed', `camera ${id} ${found}, against ${said}.`, {
      advice: 'Somebody else was faster: read it again, and decide again.',
      headers: version === undefined ? {} : { etag: etagOf(version) },
    });
  }

  /** Whether a client that reads has this version already (RFC 9110, 13.1.2). */
  isFresh(version: number): boolean {
    return this.#noneMatch !== undefined && holds(this.#noneMatch, version, isAny);
  }
}

type Tags = '*' | readonly string[];

const TAG = /^(W\/)?"[\x21\x23-\x7e]*"$/;

function readTags(name: string, header: string | undefined): Tags | undefined {
  const written = header?.trim();
  if (written === undefined || written === '*') return written;
  const tags = written.split(',').map((tag) => tag.trim());
  if (tags.every((tag) => TAG.test(tag))) return tags;
  throw new Problem('request-invalid', `${name} is no list of ETags.`, {
    advice: `Write it as it was answered, with its quotes: ${name}: "12"; or *.`,
    mistakes: [{ pointer: name, detail: 'must be "VERSION" or *' }],
  });
}

function holds(
  tags: Tags,
  version: number | undefined,
  isSame: (tag: string, etag: string) => boolean,
): boolean {
  if (version === undefined) return false;
  return tags === '*' || tags.some((tag) => isSame(tag, etagOf(version)));
}

function isStrong(tag: string, etag: string): boolean {
  return tag === etag;
}

/** Weak comparison, as If-None-Match has it: caches may have made the tag weak. */
function isAny(tag: string, etag: string): boolean {
  return tag.replace(/^W\//, '') === etag;
}
