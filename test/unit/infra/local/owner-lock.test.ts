import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { livingOwner, takeLock } from '#infra/local/owner-lock.ts';
import { endProcesses, parseStartMark, startMark } from '#infra/local/process-table.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';

const freshLock = () => join(mkdtempSync(join(tmpdir(), 'halfsight-lock-')), 'lock');

describe('takeLock', () => {
  it('is taken once, and again after its release', async () => {
    const path = freshLock();
    const first = await takeLock(path);
    expect(await takeLock(path)).toEqual({ taken: false, ownerPid: process.pid });
    expect(await livingOwner(path)).toBe(process.pid);
    if (first.taken) await first.release();
    expect((await takeLock(path)).taken).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(['lock']);
  });

  it('of many that try at once, one takes it', async () => {
    const path = freshLock();
    const attempts = await Promise.all(Array.from({ length: 20 }, () => takeLock(path)));
    expect(attempts.filter(({ taken }) => taken)).toHaveLength(1);
  });

  it('a lock whose owner is dead is void', async () => {
    const path = freshLock();
    const child = spawn('sleep', ['60']);
    const pid = defined(child.pid, 'pid');
    writeFileSync(path, JSON.stringify({ pid, startMark: await startMark(pid) }));
    expect(await takeLock(path)).toEqual({ taken: false, ownerPid: pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await takeLock(path)).taken).toBe(true);
  });

  it('a lock whose owner is dead is void even when its pid is in use again', async () => {
    const path = freshLock();
    writeFileSync(path, JSON.stringify({ pid: process.pid, startMark: 'long ago' }));
    expect((await takeLock(path)).taken).toBe(true);
  });

  it('a lock that holds nonsense is void', async () => {
    const path = freshLock();
    writeFileSync(path, '{"pid": 1');
    expect((await takeLock(path)).taken).toBe(true);
  });
});

describe('the process table', () => {
  it('reads past a name with brackets and spaces; a zombie is no process', () => {
    const rest = (state: string) => `${state} 1 ${'0 '.repeat(17)}4711 0 0`;
    expect(parseStartMark(`12 (a) S (b) ${rest('S')}`)).toBe('4711');
    expect(parseStartMark(`12 (java) ${rest('Z')}`)).toBeUndefined();
  });

  it('ends the polite by SIGTERM and the stubborn by SIGKILL', async () => {
    const polite = spawn('sleep', ['60']);
    const stubborn = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
    await once(stubborn.stdout, 'data');
    const endings = [polite, stubborn].map((child) => once(child, 'exit'));
    const pids = [polite, stubborn].map(({ pid }) => defined(pid, 'pid'));
    await endProcesses(pids, 300, systemClock);
    expect((await Promise.all(endings)).map(([, signal]) => signal)).toEqual([
      'SIGTERM',
      'SIGKILL',
    ]);
  });
});
