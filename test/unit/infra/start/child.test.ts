import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Child, type ChildOptions, lastError } from '#infra/start/child.ts';
import { tellOf } from '#infra/start/run-folder.ts';
import { childVariables } from '#runtime/settings.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'halfsight-child-'));

/** A child that runs `script`; the clock stands still, so that restarts come when the test says. */
function childOf(script: string, changes: Partial<ChildOptions> = {}) {
  const module = join(folder, `${Math.abs(hash(script))}.mjs`);
  writeFileSync(module, script);
  const clock = new ManualClock();
  const said: string[] = [];
  const ended = Promise.withResolvers<string>();
  const child = new Child({
    name: 'thing',
    // Child joins it to the repository's root.
    module: join('..', '..', '..', '..', '..', '..', '..', module),
    args: [],
    variables: () => childVariables({}),
    logFile: `${module}.log`,
    clock,
    say: (line) => said.push(line),
    onUnable: () => Promise.resolve(undefined),
    onEnded: () => ended.resolve('ended'),
    onFailed: (error) => ended.resolve(error.message),
    ...changes,
  });
  return { child, clock, said, ended: ended.promise };
}

function hash(text: string): number {
  return [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) | 0, 7);
}

describe('Child', () => {
  it('that ends in peace is not started again', async () => {
    const { child, said, ended } = childOf('process.exit(0)');
    child.start();
    expect(await ended).toBe('ended');
    expect(said).toEqual([]);
  });

  it('that crashes is started again, later each time, and given up in the end', async () => {
    const line = JSON.stringify({ level: 'error', event: 'process-failed', error: 'no "luck"' });
    const { child, clock, said, ended } = childOf(
      `process.stderr.write(${JSON.stringify(`${line}\n`)}); process.exit(1)`,
    );
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    child.start();
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (child.pid === undefined) await clock.advance(20_000);
    }
    expect(await ended).toBe('the thing cannot run (exit code 1): no "luck"');
    expect(said.map((text) => /again in (\S+) s\. no "luck"/.exec(text)?.[1])).toEqual([
      '0.5',
      '1.0',
      '2.0',
      '4.0',
    ]);
  });

  it('whose settings are wrong is not tried again', async () => {
    const { child, said, ended } = childOf('process.exit(2)');
    child.start();
    expect(await ended).toContain('cannot run (exit code 2)');
    expect(said).toEqual([]);
  });

  it('whose settings were wrong is started again at once where it is told otherwise', async () => {
    let listen = 'taken';
    const { child, said, ended } = childOf(
      "process.exit(process.env.HALFSIGHT_HEALTH_LISTEN === 'taken' ? 2 : 0)",
      {
        variables: () => childVariables({ HALFSIGHT_HEALTH_LISTEN: listen }),
        onUnable: () => {
          listen = 'free';
          return Promise.resolve('it listens elsewhere');
        },
      },
    );
    child.start();
    expect(await ended).toBe('ended');
    expect(said).toEqual(['it listens elsewhere']);
    expect(child.crashes).toBe(0);
  });

  it('hears SIGTERM when it is to stop, and then counts as stopped, not as crashed', async () => {
    const { child } = childOf('setInterval(() => {}, 1000)');
    child.start();
    await child.stop();
    expect(child.pid).toBeUndefined();
    expect(child.crashes).toBe(0);
  });
});

describe('lastError', () => {
  it('finds the last error, or the last words that are not ours', () => {
    const file = join(folder, 'a.log');
    const entry = (level: string, error: string) => `${JSON.stringify({ level, error })}\n`;
    writeFileSync(file, `${entry('error', 'first')}${entry('error', 'last')}${entry('info', 'x')}`);
    expect(lastError(file)).toBe('last');
    writeFileSync(file, `${entry('info', 'x')}SyntaxError: bad\n`);
    expect(lastError(file)).toBe('SyntaxError: bad');
    writeFileSync(file, entry('info', 'x'));
    expect(lastError(file)).toBeUndefined();
  });
});

describe('tellOf', () => {
  it('says what a waiting person wants to hear, and keeps the rest for the log', () => {
    expect(tellOf({ event: 'process-up', process: 'redis' })).toBe('redis answers.');
    expect(tellOf({ event: 'kafka-jars-downloading' })).toMatch(/Downloading Kafka/);
    expect(tellOf({ event: 'guardian-hired' })).toBeUndefined();
  });
});
