import type { CodedRun, EntropyCoder } from '#codec/coder.ts';
import type { CodingTables } from '#codec/tables.ts';
import { codeOf, type HalfsightError } from '#runtime/errors.ts';
import type { Random } from '#runtime/random.ts';

/** What a case is made of: it depends on nothing else. */
export interface Case {
  readonly random: Random;
  /** Shared by neighbouring cases, which saves time and meets the tables that a coder keeps. */
  readonly sets: readonly [CodingTables, CodingTables];
  readonly coder: EntropyCoder;
  /** Another one, as new. */
  freshCoder(): EntropyCoder;
  readonly reference: EntropyCoder;
  readonly tally: Tally;
}

/** The two sides of a case did not agree, or something held that must not: what the fuzz is for. */
export class Disagreement extends Error {
  override readonly name = 'Disagreement';
}

export function insist(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Disagreement(what());
}

/** What came out of the cases, to see that they reach everything. */
export class Tally {
  readonly cases = new Map<string, number>();
  readonly rejected = new Map<string, number>();
  /** Messages, with N for each number in them. */
  readonly reasons = new Map<string, number>();
  accepted = 0;

  begin(target: string): void {
    count(this.cases, target);
  }

  end(error: HalfsightError | undefined): void {
    if (error === undefined) {
      this.accepted++;
      return;
    }
    count(this.rejected, error.code);
    count(this.reasons, error.message.replace(/[0-9a-f]{16}|-?\d+/g, 'N'));
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

/** The result, or the operating error. Any other exception passes through: it fails the case. */
export function attempt<T>(action: () => T): T | HalfsightError {
  try {
    return action();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return error as HalfsightError;
  }
}

export function requireSameOutcome(
  got: HalfsightError | undefined,
  wanted: HalfsightError | undefined,
  what: () => string,
): void {
  const isSame = got?.code === wanted?.code && got?.message === wanted?.message;
  insist(isSame, () => `${what()}: ${outcomeText(got)}, and the reference ${outcomeText(wanted)}`);
}

export function outcomeText(error: HalfsightError | undefined): string {
  return error === undefined ? 'accepted' : `${error.code} (${error.message})`;
}

export function requireSameNumbers(
  got: Int32Array | Uint8Array,
  wanted: Int32Array | Uint8Array,
  what: () => string,
): void {
  if (got.length === wanted.length) {
    let at = 0;
    while (at < got.length && got[at] === wanted[at]) at++;
    if (at === got.length) return;
    throw new Disagreement(`${what()}: ${got[at]} instead of ${wanted[at]} at ${at}`);
  }
  throw new Disagreement(`${what()}: ${got.length} instead of ${wanted.length} long`);
}

export function describeRun({ symbols, tables, choice }: Omit<CodedRun, 'payload'>): string {
  const slots = tables.cdfs.slice(0, 6).map((cdf) => cdf.length - 1);
  const first = choice.kind === 'planes' ? ` from table ${choice.first}` : '';
  return `${symbols.length} symbols by ${choice.kind}${first}, tables of ${slots}... slots`;
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 64)).toString('hex') + (bytes.length > 64 ? '...' : '');
}

const GUARD = 0x5a17c0de;
const GUARD_WORDS = 2;

/** Room for symbols in the middle of a larger array, whose ends nobody may touch. */
export function guarded(length: number): Int32Array<ArrayBuffer> {
  const whole = new Int32Array(length + 2 * GUARD_WORDS).fill(GUARD);
  return whole.subarray(GUARD_WORDS, GUARD_WORDS + length);
}

export function requireGuards(symbols: Int32Array<ArrayBuffer>): void {
  const whole = new Int32Array(symbols.buffer);
  for (let index = 0; index < GUARD_WORDS; index++) {
    const isWhole = whole[index] === GUARD && whole[whole.length - 1 - index] === GUARD;
    insist(isWhole, () => 'something was written outside of the symbols');
  }
}
