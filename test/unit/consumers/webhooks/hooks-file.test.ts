import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOOKS_MANUAL, parseHooks, readHooks } from '#consumers/webhooks/hooks-file.ts';
import { ConfigFile } from '#runtime/config-file.ts';
import { codeOf } from '#runtime/errors.ts';
import { readEnvironment } from '#runtime/settings.ts';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const MANUAL = join(import.meta.dirname, '..', '..', '..', '..', HOOKS_MANUAL);

const folder = mkdtempSync(join(tmpdir(), 'halfsight-hooks-'));
writeFileSync(join(folder, 'shop.secret'), `${SECRET}\n`);
writeFileSync(join(folder, 'both.secret'), `${SECRET}\n${SECRET}\n`);
writeFileSync(join(folder, 'wrong.secret'), 'hunter2\n');

const parse = (text: string) =>
  parseHooks(new ConfigFile('hooks.yaml', text, HOOKS_MANUAL), folder);

/** One hook, with this in place of what it says. */
const hookWith = (changes: string) => {
  const keys = new Map(
    ['name: shop', 'url: https://a.example', 'topic: detection', 'secretFile: shop.secret'].map(
      (line) => [line.split(':')[0], line],
    ),
  );
  for (const change of changes.split('; ')) keys.set(change.split(':')[0], change);
  const lines = [...keys.values()].filter((line) => !line?.endsWith(': none'));
  return `hooks:\n  - ${lines.join('\n    ')}\n`;
};

function mistakesOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    expect(codeOf(error)).toBe('config-invalid');
    return (error as Error).message;
  }
  return '';
}

describe('the file of hooks', () => {
  it('is explained by an example that names every key', () => {
    const text = readFileSync(MANUAL, 'utf8');
    const file = new ConfigFile('webhooks.example.yaml', text, HOOKS_MANUAL);
    const [hook] = parseHooks(file, folder);
    expect(hook).toMatchObject({
      ...{ name: 'shop', url: 'https://shop.example.com/halfsight', task: 'detection' },
      ...{ cameras: new Set(['gate', 'yard']), labels: new Set(['person']), scoreMin: 0.5 },
      sendsShed: false,
      ...{ parallel: 1, timeoutMs: 10_000, parkAfterMs: 3_600_000 },
    });
    for (const key of file.keysKnown) expect(text).toContain(`${key.replace('hooks[].', '')}:`);
  });

  it('has defaults', () => {
    expect(parse(hookWith('name: shop'))).toEqual([
      {
        ...{ name: 'shop', url: 'https://a.example', task: 'detection', cameras: undefined },
        ...{ labels: undefined, scoreMin: undefined, sendsShed: false, parallel: 1 },
        ...{ timeoutMs: 10_000, parkAfterMs: 3_600_000, keys: [Buffer.alloc(32, 5)] },
      },
    ]);
    expect(parse(hookWith('secretFile: both.secret'))[0]?.keys).toHaveLength(2);
  });

  it.each([
    ['name: a b', 'hooks[0].name: must be 1 to 40 letters'],
    ['name: none', 'hooks[0].name: must be given'],
    ['url: none', 'hooks[0].url: must be given'],
    ['url: ftp://a.example', 'hooks[0].url: must begin with https:// or http://'],
    ['url: https://me:secret@a.example', 'hooks[0].url: may hold no user or password'],
    ['topic: none', 'hooks[0].topic: must be one of classification'],
    ['topic: faces', 'segmentation, but is "faces"'],
    ['cameras: ["a b"]', '"a b" can be no camera\'s id'],
    ['cameras: []', 'hooks[0].cameras: must name a camera'],
    ['labels: []', 'hooks[0].labels: must name a label'],
    ['scoreMin: 2', 'hooks[0].scoreMin: must be a number from 0 to 1'],
    ['topic: segmentation; scoreMin: 0.5', 'masks have no score'],
    ['secretFile: none', 'hooks[0].secretFile: must be given'],
    ['secretFile: nowhere', 'hooks[0].secretFile: cannot be read'],
    ['secretFile: wrong.secret', 'hooks[0].secretFile: must hold whsec_'],
    ['shed: maybe', 'hooks[0].shed: must be true or false'],
    ['parallel: 0', 'hooks[0].parallel: must be a whole number'],
    ['timeoutSeconds: 60', 'hooks[0].timeoutSeconds: must be a number from 0.1 to 30'],
    ['retries: 3', 'hooks[0].retries: is no setting'],
  ])('with "%s" is refused', (changes, mistake) => {
    expect(mistakesOf(hookWith(changes))).toContain(mistake);
  });

  it('tells no secret', () => {
    expect(mistakesOf(hookWith('secretFile: wrong.secret'))).not.toContain('hunter2');
    expect(mistakesOf(hookWith('url: https://me:hunter2@a.example'))).not.toContain('hunter2');
  });

  it('names no hook twice, and one at least', () => {
    const hook = hookWith('name: shop');
    expect(mistakesOf(hook + hook.replace('hooks:\n', ''))).toContain('already that of hooks[0]');
    expect(mistakesOf('hooks: []')).toContain('must list at least one hook');
  });

  it('must be named, and be there', () => {
    const read = (variables: Readonly<Record<string, string>>) => () =>
      readHooks(readEnvironment(variables));
    expect(read({})).toThrow(/no file of hooks is named/);
    expect(read({ HALFSIGHT_WEBHOOKS: '/nowhere.yaml' })).toThrow(/cannot be read/);
  });
});
