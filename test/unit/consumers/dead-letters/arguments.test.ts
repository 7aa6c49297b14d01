import { describe, expect, it } from 'vitest';
import { readDeadLettersArguments } from '#consumers/dead-letters/arguments.ts';
import { codeOf } from '#runtime/errors.ts';

const NOW_US = Date.UTC(2026, 10, 28, 20) * 1000;
const HOUR_US = 3600 * 1e6;

function read(line: string) {
  const args = line === '' ? [] : line.split(' ');
  return readDeadLettersArguments(args, '/work', NOW_US);
}

describe('npm run dead-letters', () => {
  it('list: filters, and the newest hundred unless told otherwise', () => {
    const plain = { command: 'list', filter: {}, limit: 100, json: false };
    expect(read('list')).toEqual(plain);
    const line = 'list --camera gate --reason record-empty --topic x.frame --limit 5 --json';
    expect(read(line)).toEqual({
      command: 'list',
      filter: { cameraId: 'gate', reason: 'record-empty', originTopic: 'x.frame' },
      limit: 5,
      json: true,
    });
  });

  it.each([
    ['2026-11-28T18:00:00Z', NOW_US - 2 * HOUR_US],
    ['2026-11-27', NOW_US - 44 * HOUR_US],
    ['2h', NOW_US - 2 * HOUR_US],
    ['90m', NOW_US - 1.5 * HOUR_US],
    ['1.5h', NOW_US - 1.5 * HOUR_US],
    ['30s', NOW_US - HOUR_US / 120],
    ['3d', NOW_US - 72 * HOUR_US],
  ])('--since and --until: %s', (text, timeUs) => {
    expect(read(`list --since ${text}`)).toMatchObject({ filter: { sinceUs: timeUs } });
    expect(read(`list --until ${text}`)).toMatchObject({ filter: { untilUs: timeUs } });
  });

  it('show: one letter, a file relative to the folder', () => {
    expect(read('show 3:17 --out value.bin')).toEqual({
      command: 'show',
      position: { partition: 3, offset: 17 },
      json: false,
      outFile: '/work/value.bin',
    });
    expect(read('show 3:17 --json')).toMatchObject({ json: true, outFile: undefined });
  });

  it('redrive and discard: letters without --yes, filters with it', () => {
    expect(read('redrive 3:17 0:4')).toEqual({
      command: 'redrive',
      positions: [
        { partition: 3, offset: 17 },
        { partition: 0, offset: 4 },
      ],
      filter: {},
      limit: Number.POSITIVE_INFINITY,
      note: '',
      dryRun: false,
      yes: false,
    });
    expect(read('discard --camera gate --limit 3 --yes --note gone')).toMatchObject({
      command: 'discard',
      filter: { cameraId: 'gate' },
      limit: 3,
      note: 'gone',
      yes: true,
    });
    expect(read('redrive --dry-run')).toMatchObject({ positions: [], dryRun: true });
  });

  it.each(['--help', 'list --help', 'redrive --help'])('%s', (line) => {
    expect(read(line)).toBe('help');
  });

  it.each([
    ['', 'list, show, redrive or discard'],
    ['lost', 'no command "lost"'],
    ['list 3:17', 'list takes no "3:17"'],
    ['list --state open', '--state'],
    ['list --limit 0', '--limit must be a whole number from 1'],
    ['list --since yesterday', '--since must be a time'],
    ['list --until 5w', '--until must be a time'],
    ['show', 'show takes one letter'],
    ['show 3:17 3:18', 'show takes one letter'],
    ['show 3', '"3" is no letter'],
    ['redrive', 'add --yes'],
    ['discard --camera gate', 'add --yes'],
    ['redrive 3:17 --camera gate', 'not both'],
    ['redrive -1:17', "Unknown option '-1'"],
    [`discard 3:17 --note ${'x'.repeat(1001)}`, '--note is longer'],
  ])('refuses "%s"', (line, what) => {
    expect(() => read(line)).toThrow(
      expect.toSatisfy((error) => codeOf(error) === 'usage-invalid'),
    );
    expect(() => read(line)).toThrow(what);
  });
});
