import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AtomicFile } from '#runtime/atomic-file.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

const setUp = () => {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-atomic-'));
  return { folder, path: join(folder, 'out') };
};

describe('AtomicFile', () => {
  it('is there when it is whole, and not before', async () => {
    const { folder, path } = setUp();
    writeFileSync(path, 'old');
    const file = await AtomicFile.open(path);
    await file.write('new ');
    await file.write(Buffer.from('content'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    await file.commit();
    expect(readFileSync(path, 'utf8')).toBe('new content');
    expect([file.bytes, readdirSync(folder)]).toEqual([11, ['out']]);
    await file.discard();
    expect(readFileSync(path, 'utf8')).toBe('new content');
  });

  it('leaves nothing when it is given up', async () => {
    const { folder, path } = setUp();
    const file = await AtomicFile.open(path);
    await file.write('x'.repeat(LIMITS.fileBufferBytes + 1));
    await file.discard();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes in what another one holds, and keeps what was copied from a buffer', async () => {
    const { folder, path } = setUp();
    const file = await AtomicFile.open(path);
    const other = await AtomicFile.open(join(folder, 'other'));
    const buffer = Buffer.from('middle '.repeat(400_000));
    await other.write(buffer);
    buffer.fill('?');
    await other.write('end');
    await file.write('begin ');
    await file.append(other);
    await other.discard();
    await file.commit();
    expect(readFileSync(path, 'utf8')).toBe(`begin ${'middle '.repeat(400_000)}end`);
  });

  it('of two at the same time the last to finish is there, whole', async () => {
    const { folder, path } = setUp();
    const [one, two] = [await AtomicFile.open(path), await AtomicFile.open(path)];
    await one.write('one');
    await two.write('two');
    await two.commit();
    await one.commit();
    expect(readFileSync(path, 'utf8')).toBe('one');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('says where it cannot be', async () => {
    const { folder } = setUp();
    const nowhere = join(folder, 'no', 'where');
    expect(await AtomicFile.open(nowhere).catch(codeOf)).toBe('file-unwritable');
    expect(existsSync(nowhere)).toBe(false);
  });
});
