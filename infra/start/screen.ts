/** The part of a terminal (or of a file or pipe) that we use. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const WIDTH_WITHOUT_TERMINAL = 160;

/**
 * Lines that stay, and on a terminal one table below them that is drawn again in place.
 */
export class Screen {
  readonly #output: Output;
  #table: readonly string[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  get isTerminal(): boolean {
    return this.#output.isTTY === true;
  }

  get width(): number {
    // The last column is left free: some terminals wrap when it is written.
    return this.isTerminal ? (this.#output.columns ?? 80) - 1 : WIDTH_WITHOUT_TERMINAL;
  }

  /** Lines that fit on the screen. */
  get height(): number {
    return this.#output.rows ?? 24;
  }

  say(text: string): void {
    const table = this.#table;
    this.#output.write(`${this.#eraseTable()}${text}\n`);
    if (table.length > 0) this.table(table);
  }

  /** Draws the table, over the one before. Terminals only. */
  table(lines: readonly string[]): void {
    if (!this.isTerminal) return;
    const erase = this.#eraseTable();
    this.#table = lines;
    this.#output.write(`${erase}${lines.map((line) => `${line}\n`).join('')}`);
  }

  /** Leaves the table standing; what is said from now on comes below it. */
  keepTable(): void {
    this.#table = [];
  }

  #eraseTable(): string {
    const height = this.#table.length;
    this.#table = [];
    // Cursor up, then erase to the end of the screen (ECMA-48, CUU and ED).
    return height === 0 ? '' : `\x1b[${height}A\x1b[0J`;
  }
}
