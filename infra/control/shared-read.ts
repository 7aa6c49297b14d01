/**
 * A read that costs much, for many who ask: there are never two at once, and whoever asks while one
 * is under way gets the next, since that one may have begun before what they want to see.
 */
export class SharedRead<T> {
  readonly #read: () => Promise<T>;
  #isBusy = false;
  /** Resolves when the last read is over, in whichever way. */
  #over: Promise<void> = Promise.resolve();
  /** Begins then; of all who ask meanwhile. */
  #next: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  ask(): Promise<T> {
    if (!this.#isBusy) return this.#start();
    this.#next ??= this.#over.then(() => this.#start());
    return this.#next;
  }

  #start(): Promise<T> {
    this.#isBusy = true;
    this.#next = undefined;
    const reading = this.#read();
    const settle = () => {
      this.#isBusy = this.#next !== undefined;
    };
    this.#over = reading.then(settle, settle);
    return reading;
  }
}
