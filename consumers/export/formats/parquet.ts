import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { AtomicFile } from '#runtime/atomic-file.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type Result, TASKS, type Task } from '#schemas/result.ts';
import type { ExportFormat, FormatWriter } from '../format.ts';
import { type Cell, type Column, columnsOf, type Row, rowsOf } from './columns.ts';

/** The columns of CSV, nullable, in row groups. */
export const PARQUET: ExportFormat = {
  name: 'parquet',
  summary: 'Parquet: the same rows and columns as CSV, with types',
  tasks: TASKS,
  open: async (file, task) => new RowGroups(file, task),
};

const SCHEMA_TYPES = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  integer: { type: 'INT64' },
  number: { type: 'DOUBLE' },
} as const;

/**
 * Rows are collected, column by column, until they fill a row group, which is then encoded and
 * written. Of a group that is written only its place in the file is kept, for the footer: some
 * kilobytes.
 */
class RowGroups implements FormatWriter {
  readonly #columns: readonly Column[];
  readonly #parquet: ParquetWriter;
  #cells: (string | number | bigint | null)[][];
  #rowCount = 0;
  #textLength = 0;

  constructor(file: AtomicFile, task: Task) {
    this.#columns = columnsOf(task);
    this.#cells = this.#columns.map(() => []);
    this.#parquet = new ParquetWriter({
      writer: writerTo(file),
      schema: [
        { name: 'results', num_children: this.#columns.length },
        ...this.#columns.map(({ name, type }) => {
          return { name, repetition_type: 'OPTIONAL', ...SCHEMA_TYPES[type] } as const;
        }),
      ],
      createdBy: 'halfsight',
    });
  }

  async write(result: Result): Promise<void> {
    for (const row of rowsOf(result)) {
      this.#collect(row);
      const isFull =
        this.#rowCount >= LIMITS.rowGroupRowsMax ||
        this.#textLength >= LIMITS.rowGroupTextLengthMax;
      if (isFull) await this.#writeGroup();
    }
  }

  async finish(): Promise<void> {
    if (this.#rowCount > 0) await this.#writeGroup();
    await this.#parquet.finish();
  }

  #collect(row: Row): void {
    this.#rowCount++;
    for (const [index, { cell, type }] of this.#columns.entries()) {
      const value = cell(row);
      if (typeof value === 'string') this.#textLength += value.length;
      this.#cells[index]?.push(type === 'integer' ? wide(value) : (value ?? null));
    }
  }

  async #writeGroup(): Promise<void> {
    const columnData = this.#columns.map(({ name }, index) => {
      // Pages of a group that is read whole need no index.
      return { name, data: this.#cells[index] ?? [], offsetIndex: false };
    });
    await this.#parquet.write({ columnData, rowGroupSize: this.#rowCount });
    this.#cells = this.#columns.map(() => []);
    this.#rowCount = 0;
    this.#textLength = 0;
  }
}

function wide(value: Cell): bigint | null {
  return value === undefined ? null : BigInt(value);
}

/** hyparquet-writer's own file writer does its work while nothing else can run. */
function writerTo(file: AtomicFile): ByteWriter & { flush(): Promise<void> } {
  const writer = new ByteWriter();
  const flush = async () => {
    const bytes = writer.getBytes();
    writer.index = 0;
    await file.write(bytes);
  };
  return Object.assign(writer, { flush, finish: flush });
}
