import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS, chooseCommand, commandsText } from '#infra/command/commands.ts';
import { nearest } from '#infra/command/nearest.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const PROGRAM = 'infra/command/halfsight.mjs';

function halfsight(...args: string[]) {
  const run = spawnSync(process.execPath, [join(ROOT, PROGRAM), ...args], { encoding: 'utf8' });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

describe('chooseCommand', () => {
  it.each([[[]], [['--help']], [['-h']], [['help']]])('%j: help', (args) => {
    expect(chooseCommand(args)).toBe('help');
  });

  it('finds a command, whatever follows', () => {
    expect(chooseCommand(['plan', '--help'])).toMatchObject({ name: 'plan' });
  });

  it.each([
    ['plna', 'Is it plan?'],
    ['dead-leters', 'Is it dead-letters?'],
    ['Topics', 'Is it topics?'],
    [
      'banana',
      'There are plan, cameras, heads, jobs, control, topics, acls, ' +
        'follow, wall, inspect, export, bridge, webhooks, balance, dead-letters, backfill, ' +
        'completion.',
    ],
  ])('refuses %s and says: %s', (name, advice) => {
    expect(() => chooseCommand([name])).toThrow(
      expect.objectContaining({ code: 'usage-invalid', advice }),
    );
  });
});

describe('nearest', () => {
  it('prefers the nearer of two', () => {
    expect(nearest('topisc', ['acls', 'topics', 'tonics'])).toBe('topics');
  });

  it('takes no short word for another one', () => {
    expect(nearest('xyz', ['acls', 'plan'])).toBeUndefined();
  });
});

describe('npx halfsight', () => {
  it('is a bin of the package', () => {
    const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(bin).toEqual({ halfsight: PROGRAM });
  });

  it('lists the commands', () => {
    const { status, stdout } = halfsight();
    expect(status).toBe(0);
    expect(stdout).toBe(commandsText());
    for (const { name } of COMMANDS) expect(stdout).toContain(`  ${name} `);
  });

  it('says what is wrong with a name, and exits with 2', () => {
    const { status, stderr } = halfsight('folow');
    expect(status).toBe(2);
    expect(stderr).toContain('Is it follow?');
  });

  it.each([
    'plan',
    'cameras',
    'heads',
    'acls',
    'follow',
    'wall',
    'inspect',
    'export',
    'bridge',
    'webhooks',
    'dead-letters',
  ])('%s has its own arguments', (name) => {
    const { status, stdout } = halfsight(name, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/--/);
    expect(stdout).not.toBe(commandsText());
  });

  it('says what to type in a clone without packages', () => {
    const clone = mkdtempSync(join(tmpdir(), 'halfsight-clone-'));
    mkdirSync(join(clone, 'infra', 'command'), { recursive: true });
    cpSync(join(ROOT, PROGRAM), join(clone, PROGRAM));
    const run = spawnSync(process.execPath, [PROGRAM, 'plan'], { cwd: clone, encoding: 'utf8' });
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('Type: node infra/ensure.mjs packages');
  });
});
