import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** A frame record as it waits on disk. */
export interface StoredRecord {
  readonly cameraId: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: Uint8Array;
}

/** A stored record and its place: positions grow in the order in which records were stored. */
export interface PlacedRecord extends StoredRecord {
  readonly position: number;
}

/** What must outlive the process of the account of an epoch. */
export interface StoredAccount {
  readonly cameraId: string;
  readonly epoch: number;
  readonly captured: number;
  readonly published: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** The epoch was ended by its own process, so the counts are whole. */
  readonly isClosed: boolean;
}

/** How many records of one epoch are stored, or were removed. */
export interface EpochCount {
  readonly cameraId: string;
  readonly epoch: number;
  readonly records: number;
}

/** What a record costs on disk beside its value, roughly: key, headers, place in the table. */
export const STORED_OVERHEAD_BYTES = 256;

const FILE = 'spool.sqlite';
const SCHEMA_VERSION = 1;
/** https://sqlite.org/rescode.html */
const SQLITE = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADatabase: 26 } as const;

const SCHEMA = `
CREATE TABLE frame (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  camera_id TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
  headers TEXT NOT NULL, value BLOB NOT NULL
);
CREATE TABLE account (
  camera_id TEXT NOT NULL, epoch INTEGER NOT NULL,
  captured INTEGER NOT NULL, published INTEGER NOT NULL, dropped TEXT NOT NULL,
  is_closed INTEGER NOT NULL,
  PRIMARY KEY (camera_id, epoch)
) WITHOUT ROWID;
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Frame records and accounts on disk, in one SQLite file (Node's own `node:sqlite`).
 *
 * In WAL mode with `synchronous = NORMAL` a commit survives the death of the process at any moment;
 * a power failure may cost the last commits and never the file. Space of removed records is used
 * again, so the file grows to its bound once and not beyond. One process at a time: the file is
 * locked for as long as it is open. Calls are synchronous and take a millisecond for some tens of
 * records.
 */
export class SpoolStore {
  readonly #file: string;
  #database: DatabaseSync;
  #statements: ReturnType<typeof prepareAll>;

  /**
   * Throws `spool-unusable` where the folder cannot be written, or another process has it;
   * `spool-failed` where the disk is full or failing.
   */
  constructor(directory: string, bytesMax: number) {
    this.#file = join(directory, FILE);
    try {
      mkdirSync(directory, { recursive: true });
      this.#database = openDatabase(this.#file);
      this.#statements = prepareAll(this.#database);
      const [pageSize] = Object.values(this.#database.prepare('PRAGMA page_size').get() ?? {});
      this.limitPages(Math.ceil((bytesMax * LIMITS.spoolFileFactor) / Number(pageSize)));
    } catch (cause) {
      const isBusy = codeOf(cause) === SQLITE.busy;
      const reason = isBusy ? 'another agent uses it' : (cause as Error).message;
      const code = isDiskTrouble(cause) ? 'spool-failed' : 'spool-unusable';
      throw new HalfsightError(code, `the spool in ${directory}: ${reason}.`, {
        cause,
        advice: isBusy
          ? 'Give each agent a spool.directory of its own.'
          : 'Name a folder in spool.directory that the agent may write, on a disk with room.',
      });
    }
  }

  /** Puts the file aside and begins a new one. */
  startOver(): void {
    try {
      this.#database.close();
    } catch {
      // It is in no state to be closed, then.
    }
    putAside(this.#file);
    this.#database = openFile(this.#file);
    this.#statements = prepareAll(this.#database);
  }

  /** The file never has more: a write that would need one fails, as on a full disk. */
  limitPages(count: number): void {
    this.#database.exec(`PRAGMA max_page_count = ${count}`);
  }

  /** Adds records behind all others, and what changed of the accounts, together. */
  append(records: readonly StoredRecord[], accounts: readonly StoredAccount[]): number[] {
    return this.#together(() => {
      const positions = records.map(({ cameraId, epoch, sequence, headers, value }) => {
        const { insert } = this.#statements;
        const text = JSON.stringify(headers);
        return Number(insert.run(cameraId, epoch, sequence, text, value).lastInsertRowid);
      });
      this.#putAccounts(accounts);
      return positions;
    });
  }

  /** The first records behind `position`, as many as fit in `bytesMax` and at least one. */
  read(position: number, bytesMax: number): PlacedRecord[] {
    const records: PlacedRecord[] = [];
    let bytes = 0;
    for (const row of this.#statements.read.iterate(position)) {
      const record = recordOf(row);
      bytes += record.value.length + STORED_OVERHEAD_BYTES;
      if (records.length > 0 && bytes > bytesMax) break;
      records.push(record);
    }
    return records;
  }

  remove(positions: readonly number[], accounts: readonly StoredAccount[]): void {
    this.#together(() => {
      for (const position of positions) this.#statements.remove.run(position);
      this.#putAccounts(accounts);
    });
  }

  putAccounts(accounts: readonly StoredAccount[]): void {
    this.#together(() => this.#putAccounts(accounts));
  }

  /** All has been told about the epoch. */
  forgetAccount({ cameraId, epoch }: Pick<StoredAccount, 'cameraId' | 'epoch'>): void {
    this.#statements.forgetAccount.run(cameraId, epoch);
  }

  accounts(): StoredAccount[] {
    return this.#statements.accounts.all().map((row) => ({
      cameraId: String(row.camera_id),
      epoch: Number(row.epoch),
      captured: Number(row.captured),
      published: Number(row.published),
      dropped: JSON.parse(String(row.dropped)),
      isClosed: row.is_closed === 1,
    }));
  }

  counts(): EpochCount[] {
    return this.#statements.counts.all().map((row) => ({
      cameraId: String(row.camera_id),
      epoch: Number(row.epoch),
      records: Number(row.records),
    }));
  }

  /** Of all records, overhead included. */
  bytes(): number {
    return Number(this.#statements.bytes.get()?.bytes ?? 0);
  }

  close(): void {
    this.#database.close();
  }

  #putAccounts(accounts: readonly StoredAccount[]): void {
    for (const { cameraId, epoch, captured, published, dropped, isClosed } of accounts) {
      const counts = [captured, published, JSON.stringify(dropped), isClosed ? 1 : 0];
      this.#statements.putAccount.run(cameraId, epoch, ...counts);
    }
  }

  /** All or nothing. */
  #together<T>(work: () => T): T {
    this.#database.exec('BEGIN');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors, a full disk among them.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** A file that is no longer a database is put aside: frames of today matter more. */
function openDatabase(file: string): DatabaseSync {
  try {
    return openFile(file);
  } catch (error) {
    const code = codeOf(error);
    if (code !== SQLITE.corrupt && code !== SQLITE.notADatabase) throw error;
    putAside(file);
    return openFile(file);
  }
}

function putAside(file: string): void {
  for (const suffix of ['', '-wal']) {
    try {
      renameSync(`${file}${suffix}`, `${file}${suffix}.damaged`);
    } catch {
      // There need not be a journal.
    }
  }
}

function openFile(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
    // The lock is taken with the first write.
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    const [version] = Object.values(database.prepare('PRAGMA user_version').get() ?? {});
    if (version === 0) database.exec(`BEGIN; ${SCHEMA} COMMIT`);
    else if (version !== SCHEMA_VERSION) throw new Error(`it has version ${version}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepareAll(database: DatabaseSync) {
  const bytes = `coalesce(sum(length(value) + ${STORED_OVERHEAD_BYTES}), 0)`;
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    insert: prepare(
      'INSERT INTO frame (camera_id, epoch, sequence, headers, value) VALUES (?, ?, ?, ?, ?)',
    ),
    read: prepare('SELECT * FROM frame WHERE position > ? ORDER BY position'),
    remove: prepare('DELETE FROM frame WHERE position = ?'),
    putAccount: prepare('INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?, ?)'),
    forgetAccount: prepare('DELETE FROM account WHERE camera_id = ? AND epoch = ?'),
    accounts: prepare('SELECT * FROM account'),
    counts: prepare(
      'SELECT camera_id, epoch, count(*) AS records FROM frame GROUP BY camera_id, epoch',
    ),
    bytes: prepare(`SELECT ${bytes} AS bytes FROM frame`),
  };
}

function recordOf(row: Readonly<Record<string, unknown>>): PlacedRecord {
  return {
    position: Number(row.position),
    cameraId: String(row.camera_id),
    epoch: Number(row.epoch),
    sequence: Number(row.sequence),
    headers: JSON.parse(String(row.headers)),
    value: row.value as Uint8Array,
  };
}

/** Nobody has set anything wrong, and it may pass. */
function isDiskTrouble(error: unknown): boolean {
  const code = codeOf(error);
  if (code === SQLITE.full || (code ?? 0) % 256 === SQLITE.ioError) return true;
  return (error as NodeJS.ErrnoException).code === 'ENOSPC';
}

function codeOf(error: unknown): number | undefined {
  return (error as { readonly errcode?: number }).errcode;
}
