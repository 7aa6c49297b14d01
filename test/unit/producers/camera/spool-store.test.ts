import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { SpoolStore } from '#producers/camera/spool-store.ts';
import { LIMITS } from '#runtime/limits.ts';
import { decodeFrame, frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';

function golden(file: string) {
  return JSON.parse(readFileSync(new URL(`../../../golden/${file}`, import.meta.url), 'utf8'));
}

it('has the frames and the account that the first version left, and takes new ones', () => {
  const directory = mkdtempSync(join(tmpdir(), 'halfsight-spool-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const { statements }: { statements: string[] } = golden('spool-v1.json');
  const { records }: { records: { sequence: number; hex: string }[] } = golden('frames-v1.json');
  const left = new DatabaseSync(join(directory, 'spool.sqlite'));
  for (const statement of statements) left.exec(statement);
  left.close();

  const store = new SpoolStore(directory, LIMITS.spoolBytesMin);
  onTestFinished(() => store.close());
  const epoch = 1_700_000_000_000;
  const [camera, dropped] = [{ cameraId: 'cam-1', epoch }, { 'encoder-busy': 1 }];
  expect(store.counts()).toEqual([{ ...camera, records: 2 }]);
  const account = { ...camera, captured: 9, published: 6, dropped, isClosed: false };
  expect(store.accounts()).toEqual([account]);
  const placed = store.read(0, LIMITS.spoolBytesMin);
  expect(placed.map(({ value }) => Buffer.from(value).toString('hex'))).toEqual(
    records.map(({ hex }) => hex),
  );
  for (const { value, headers, sequence } of placed) {
    const frame = decodeFrame(value, singleObjectFraming());
    expect(frame).toMatchObject({ ...camera, sequence, heads: null });
    expect(headers).toEqual({ 'frame-id': frameId(frame) });
  }

  const value = Uint8Array.of(1, 2, 3);
  const added = { ...camera, sequence: 9, headers: {}, value };
  const [position] = store.append([added], [{ ...account, captured: 10 }]);
  store.remove(
    placed.map((record) => record.position),
    [],
  );
  expect(store.read(0, LIMITS.spoolBytesMin)).toEqual([{ ...added, position }]);
  expect(store.accounts()).toEqual([{ ...account, captured: 10 }]);
});
