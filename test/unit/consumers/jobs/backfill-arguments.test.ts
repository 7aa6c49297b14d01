import { describe, expect, it } from 'vitest';
import { readBackfillArguments } from '#consumers/jobs/backfill-arguments.ts';

const read = (line: string) => readBackfillArguments(line === '' ? [] : line.split(' '));

describe('npm run backfill', () => {
  it('takes an order', () => {
    const line =
      '--id night --bundle b --heads detection --cameras gate,yard, --rate 12.5 --json ' +
      '--since 2026-11-28T00:00:00Z --until 2026-11-28T06:00:00+01:00';
    expect(read(line)).toEqual({
      order: {
        id: 'night',
        heads: ['detection'],
        cameras: ['gate', 'yard'],
        sinceMs: Date.UTC(2026, 10, 28),
        untilMs: Date.UTC(2026, 10, 28, 5),
        framesPerSecondMax: 12.5,
      },
      bundle: 'b',
      json: true,
    });
  });

  it('everything, unless told otherwise', () => {
    expect(read('--id night')).toEqual({
      order: {
        id: 'night',
        ...{ heads: undefined, cameras: undefined, sinceMs: undefined, untilMs: undefined },
        framesPerSecondMax: undefined,
      },
      ...{ bundle: undefined, json: false },
    });
    expect(read('--help')).toBe('help');
  });

  it.each([
    ['', /--id is missing/],
    ['--id a --since yesterday', /--since must be a time such as/],
    // After a restart an age would be another time.
    ['--id a --until 12h', /--until must be a time such as/],
    ['--id a --rate 0', /--rate must be a number above 0/],
    ['--id a --rate fast', /--rate must be/],
    ['--id a --speed 3', /--speed/],
    ['--id a stray', /stray/],
  ])('refuses "%s"', (line, message) => {
    expect(() => read(line)).toThrow(message);
    expect(() => read(line)).toThrow(expect.objectContaining({ code: 'usage-invalid' }));
  });
});
