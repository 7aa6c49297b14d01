/**
 * Sequence numbers as a sorted list of half-open intervals: [start, end, start, end, ...]. A run of
 * frames without a gap costs two numbers, however long it is.
 */
export type Intervals = readonly number[];

export function countOf(intervals: Intervals): number {
  let count = 0;
  for (let at = 0; at < intervals.length; at += 2) {
    count += (intervals[at + 1] ?? 0) - (intervals[at] ?? 0);
  }
  return count;
}

/** What holds of membership in `a` and in `b`, as intervals: one pass over the bounds of both. */
function combine(
  a: Intervals,
  b: Intervals,
  holds: (inA: boolean, inB: boolean) => boolean,
): number[] {
  const result: number[] = [];
  let atA = 0;
  let atB = 0;
  while (atA < a.length || atB < b.length) {
    const bound = Math.min(a[atA] ?? Number.POSITIVE_INFINITY, b[atB] ?? Number.POSITIVE_INFINITY);
    if (a[atA] === bound) atA++;
    if (b[atB] === bound) atB++;
    // An odd number of bounds passed: inside.
    const inside = holds(atA % 2 === 1, atB % 2 === 1);
    if (inside !== (result.length % 2 === 1)) result.push(bound);
  }
  return result;
}

export function union(a: Intervals, b: Intervals): number[] {
  return combine(a, b, (inA, inB) => inA || inB);
}

export function difference(a: Intervals, b: Intervals): number[] {
  return combine(a, b, (inA, inB) => inA && !inB);
}

export function intersection(a: Intervals, b: Intervals): number[] {
  return combine(a, b, (inA, inB) => inA && inB);
}

/** The part from `start` on. */
export function from(intervals: Intervals, start: number): number[] {
  return intersection(intervals, [start, Number.POSITIVE_INFINITY]);
}

/**
 * A growing set of sequence numbers. Below its floor it remembers only how many it had: whoever
 * raises the floor has checked them, and any of them that comes again counts as a repeat.
 */
export class SequenceSet {
  #bounds: number[] = [];
  #floor = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of the members at or above the floor. */
  get intervals(): Intervals {
    return this.#bounds;
  }

  get floor(): number {
    return this.#floor;
  }

  /** One more than the highest member ever added, or 0. */
  get end(): number {
    return this.#bounds.at(-1) ?? this.#floor;
  }

  /** False if it was there already, or is below the floor. */
  add(sequence: number): boolean {
    if (sequence < this.#floor) return false;
    const at = this.#firstEndAtOrAfter(sequence);
    const start = this.#bounds[at - 1];
    const end = this.#bounds[at];
    if (start !== undefined && end !== undefined && start <= sequence && sequence < end) {
      return false;
    }
    this.#size++;
    this.#insert(sequence, at);
    return true;
  }

  /** Forgets which members below `floor` it has. */
  raiseFloor(floor: number): void {
    if (floor <= this.#floor) return;
    this.#bounds = from(this.#bounds, floor);
    this.#floor = floor;
  }

  /** Index of the first interval end >= sequence; the length (and one) if there is none. */
  #firstEndAtOrAfter(sequence: number): number {
    let low = 0;
    let high = this.#bounds.length / 2;
    // Nearly always the newest is added: look there first.
    const last = this.#bounds[this.#bounds.length - 1];
    if (last !== undefined && last < sequence) low = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#bounds[2 * middle + 1] ?? 0) < sequence) low = middle + 1;
      else high = middle;
    }
    return 2 * low + 1;
  }

  /** `at` is the first interval whose end is not below `sequence`, which is not a member. */
  #insert(sequence: number, at: number): void {
    const bounds = this.#bounds;
    const touchesEnd = bounds[at] === sequence;
    const nextStart = touchesEnd ? bounds[at + 1] : bounds[at - 1];
    const touchesNext = nextStart === sequence + 1;
    if (touchesEnd && touchesNext) bounds.splice(at, 2);
    else if (touchesEnd) bounds[at] = sequence + 1;
    else if (touchesNext) bounds[at - 1] = sequence;
    else bounds.splice(at - 1, 0, sequence, sequence + 1);
  }
}
