import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Guard } from '#infra/local/guard.ts';
import { ManagedProcess, type ProcessSpec } from '#infra/local/managed-process.ts';
import { startMark } from '#infra/local/process-table.ts';
import { defined } from '#runtime/assert.ts';
import { type Clock, systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger, silentLogger } from '#runtime/log.ts';

let guard: Guard;
let events: string[];
const servers: ManagedProcess[] = [];

beforeEach(() => {
  guard = new Guard(silentLogger);
  events = [];
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await guard.close();
});

/** Sleeps are cut to a few milliseconds, so that pauses between attempts cost nothing. */
const hastyClock: Clock = {
  nowUs: () => systemClock.nowUs(),
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 5), signal),
  turn: () => systemClock.turn(),
  after: (ms, action) => systemClock.after(ms, action),
  every: (ms, action) => systemClock.every(ms, action),
};

function manage(script: string, options: Partial<ProcessSpec> = {}): ManagedProcess {
  const spec: ProcessSpec = {
    name: 'fake',
    command: 'sh',
    args: ['-c', script],
    directory: mkdtempSync(join(tmpdir(), 'halfsight-managed-')),
    answers: async () => true,
    ...options,
  };
  const logger = createLogger({
    level: 'info',
    format: 'json',
    write: (line) => events.push(JSON.parse(line).event),
  });
  const server = new ManagedProcess(spec, { clock: hastyClock, logger, guard });
  servers.push(server);
  return server;
}

describe('start', () => {
  it('resolves when the process answers, not before', async () => {
    let questions = 0;
    const server = manage('exec sleep 60', { answers: async () => ++questions >= 3 });
    await server.start();
    expect(questions).toBe(3);
    expect(await startMark(defined(server.pid, 'pid'))).toBeDefined();
  });

  it('rejects with the end of the log when the process ends first', async () => {
    const server = manage('echo the disk is full >&2; exit 3', { answers: async () => false });
    await expect(server.start()).rejects.toMatchObject({
      code: 'stack-failed',
      message: 'fake ended before it answered (exit code 3).',
      advice: expect.stringContaining('the disk is full'),
    });
  });

  it('rejects when there is no such program', async () => {
    const server = manage('', { command: '/no/such/program', answers: async () => false });
    await expect(server.start()).rejects.toMatchObject({
      code: 'program-missing',
      message: '/no/such/program cannot be run (ENOENT).',
    });
  });
});

describe('a process that dies', () => {
  it('is started again', async () => {
    const server = manage('exec sleep 60');
    await server.start();
    const before = server.pid;
    await server.kill({ supervised: true });
    await server.whenUp();
    expect(server.pid).not.toBe(before);
    expect(events).toEqual(['process-up', 'process-died', 'process-up']);
  });

  it('stays down when its death was meant to last, until it is started', async () => {
    const server = manage('exec sleep 60');
    await server.start();
    await server.kill({ supervised: false });
    await systemClock.sleep(50);
    expect(events).toEqual(['process-up']);
    await server.start();
    expect(events).toEqual(['process-up', 'process-up']);
  });

  it('is given up when it fails again and again, and whoever waits is told', async () => {
    // The first one leaves a file, and every later one ends because of it.
    const directory = mkdtempSync(join(tmpdir(), 'halfsight-managed-'));
    const used = join(directory, 'used');
    let killed = false;
    const server = manage(`test -e ${used} && exit 9; : > ${used}; exec sleep 60`, {
      directory,
      answers: async () => !killed && existsSync(used),
    });
    await server.start();
    killed = true;
    await server.kill({ supervised: true });
    await expect(server.whenUp()).rejects.toMatchObject({ code: 'stack-failed' });
    const failures = events.filter((event) => event === 'process-restart-failed');
    expect(failures).toHaveLength(LIMITS.stackRestartsMax);
    expect(events.at(-1)).toBe('process-given-up');
  });
});

describe('stop', () => {
  it('wins over a supervisor that is just bringing the process back', async () => {
    let answering = true;
    const server = manage('exec sleep 60', { answers: async () => answering });
    await server.start();
    answering = false;
    await server.kill({ supervised: true });
    await systemClock.sleep(20);
    await server.stop();
    expect(await startMark(defined(server.pid, 'pid'))).toBeUndefined();
    expect(events).toEqual(['process-up', 'process-died']);
  });

  it('of one that never ran is harmless', async () => {
    await manage('exec sleep 60').stop();
  });
});
