import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '#infra/command/commands.ts';
import { VERBS as CAMERA_VERBS } from '#infra/fleet/usage.ts';
import { VERBS as HEAD_VERBS } from '#infra/heads/usage.ts';
import { VERBS as JOB_VERBS } from '#infra/jobs/usage.ts';

const PROGRAM = join(import.meta.dirname, '../../../../infra/command/halfsight.mjs');
const ALL = COMMANDS.map(({ name }) => name);
let script: string;

function completion(...args: string[]) {
  return spawnSync(process.execPath, [PROGRAM, 'completion', ...args], { encoding: 'utf8' });
}

/** What bash would offer for the last of these words. */
function offered(...words: string[]): string[] {
  const typed = words.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _halfsight`;
  const show = `printf '%s\\n' "\${COMPREPLY[@]}"`;
  // Node's pipes are sockets: a bash that no other shell has started would take itself for a remote
  // one, and read its owner's settings.
  const command = ['--norc', '-euc', `${script}\n${ask}\n${show}`];
  const run = spawnSync('bash', command, { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return run.stdout.split('\n').filter((line) => line !== '');
}

beforeAll(() => {
  script = completion('bash').stdout;
});

describe('npx halfsight completion bash', () => {
  it('offers commands, of halfsight and of npx halfsight', () => {
    expect(offered('halfsight', '')).toEqual(ALL);
    expect(offered('npx', 'halfsight', '')).toEqual(ALL);
    expect(offered('npx', 'halfsight', 'cam')).toEqual(['cameras']);
    expect(offered('/usr/bin/npx', 'half')).toEqual(['halfsight']);
    expect(offered('npx', 'vitest', 'cam')).toEqual([]);
  });

  it('offers verbs', () => {
    expect(offered('halfsight', 'cameras', '')).toEqual([...CAMERA_VERBS, '--help']);
    expect(offered('halfsight', 'heads', '')).toEqual([...HEAD_VERBS, '--help']);
    expect(offered('halfsight', 'jobs', '')).toEqual([...JOB_VERBS, '--help']);
    expect(offered('npx', 'halfsight', 'dead-letters', 're')).toEqual(['redrive']);
    expect(offered('halfsight', 'webhooks', '')).toEqual(['list', 'test', 'resume', '--help']);
  });

  it('offers options, wherever they are', () => {
    expect(offered('npx', 'halfsight', 'cameras', 'add', 'gate', '--so')).toEqual(['--source']);
    expect(offered('halfsight', 'cameras', 'remove', '--')).toEqual(['--version', '--help']);
    expect(offered('halfsight', 'control', '--')).toEqual(['--openapi', '--help']);
    expect(offered('halfsight', 'plan', '--fps', '5', '--gp')).toContain('--gpu');
    expect(offered('halfsight', 'export', '--format', 'csv', '--o')).toEqual(['--output']);
    expect(offered('halfsight', 'webhooks', 'list', '--')).toEqual(['--json', '--help']);
    expect(offered('halfsight', 'webhooks', 'test', 'shop', '--')).toEqual(['--help']);
    expect(offered('halfsight', 'balance', '--')).toEqual([]);
  });

  it.each([[['fish']], [[]], [['bash', 'zsh']]])('%j: says what there is', (args) => {
    const { status, stderr } = completion(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^usage-invalid: there is no completion for ".*"\. See npx halfsight/);
  });
});
