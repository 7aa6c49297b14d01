import { assert } from './assert.ts';

export interface QueueReport {
  readonly name: string;
  readonly itemsMax: number;
  readonly bytesMax: number;
  readonly items: number;
  readonly bytes: number;
  /** Totals since the start. in = out + dropped + items, always. */
  readonly in: number;
  readonly out: number;
  readonly dropped: number;
}

export interface QueueOptions<T> {
  readonly name: string;
  readonly itemsMax: number;
  readonly bytesMax: number;
  readonly bytesOf: (item: T) => number;
}

/**
 * A first-in first-out queue bounded in items and bytes. It never decides alone what to do when
 * full: `tryPush` says so, and the caller blocks, drops (`dropOldest`) or pauses its source, and
 * counts what it did.
 */
export class BoundedQueue<T> {
  readonly #options: QueueOptions<T>;
  // A ring that grows by doubling: shift() on a long array would move every element.
  #ring: (T | undefined)[] = new Array(16);
  #head = 0;
  #items = 0;
  #bytes = 0;
  #in = 0;
  #out = 0;
  #dropped = 0;

  constructor(options: QueueOptions<T>) {
    assert(options.itemsMax > 0 && options.bytesMax > 0, `queue ${options.name} needs a bound`);
    this.#options = options;
  }

  get size(): number {
    return this.#items;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * False, and nothing happens, when the item does not fit. One item larger than the whole byte
   * bound is taken when the queue is empty: refusing it would block for ever.
   */
  tryPush(item: T): boolean {
    const bytes = this.#options.bytesOf(item);
    const tooMany = this.#items >= this.#options.itemsMax;
    const tooLarge = this.#items > 0 && this.#bytes + bytes > this.#options.bytesMax;
    if (tooMany || tooLarge) return false;
    if (this.#items === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#items) % this.#ring.length] = item;
    this.#items++;
    this.#bytes += bytes;
    this.#in++;
    return true;
  }

  peek(): T | undefined {
    return this.#ring[this.#head];
  }

  shift(): T | undefined {
    const item = this.#take();
    if (item !== undefined) this.#out++;
    return item;
  }

  /** Takes the oldest item out as dropped; the caller counts the reason. */
  dropOldest(): T | undefined {
    const item = this.#take();
    if (item !== undefined) this.#dropped++;
    return item;
  }

  report(): QueueReport {
    return {
      name: this.#options.name,
      itemsMax: this.#options.itemsMax,
      bytesMax: this.#options.bytesMax,
      items: this.#items,
      bytes: this.#bytes,
      in: this.#in,
      out: this.#out,
      dropped: this.#dropped,
    };
  }

  #take(): T | undefined {
    if (this.#items === 0) return undefined;
    const item = this.#ring[this.#head] as T;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#items--;
    this.#bytes -= this.#options.bytesOf(item);
    return item;
  }

  #grow(): void {
    const next = new Array<T | undefined>(this.#ring.length * 2);
    for (let index = 0; index < this.#items; index++) {
      next[index] = this.#ring[(this.#head + index) % this.#ring.length];
    }
    this.#ring = next;
    this.#head = 0;
  }
}
