import { describe, expect, it } from 'vitest';
import { formatJson, formatLine, readFollowArguments } from '#consumers/subscriber/follow.ts';
import { ageText, itemise, summarise } from '#consumers/subscriber/result-text.ts';
import { classification, detection, segmentation } from './results.ts';

describe('a line of follow', () => {
  const crowd = detection([
    ['person', 0.912],
    ['person', 0.84],
    ['car', 0.77],
  ]);

  it('has the time of capture, camera, task, what was found, and its age', () => {
    expect(formatLine(crowd, crowd.captureTimeUs + 143_200, 'UTC')).toBe(
      '12:03:04.512 gate  detection  2 person 0.91 0.84, car 0.77  age 143 ms\n',
    );
  });

  it('says nothing where nothing was found, and why where the head was not to look', () => {
    expect(itemise(detection([]))).toBe('nothing');
    expect(itemise(detection([], { status: 'shed' }))).toBe('shed');
    expect(itemise(detection([], { status: 'unwanted' }))).toBe('unwanted');
    expect(summarise(detection([], { status: 'unwanted' }))).toBe('unwanted');
    expect(summarise(segmentation([]))).toBe('nothing');
  });

  it('is short in the live table', () => {
    expect(summarise(crowd)).toBe('2 person, 1 car');
    expect(summarise(classification([['street sign', 0.41]]))).toBe('street sign 0.41');
    const masks = segmentation([
      ['car', 0.031],
      ['person', 0.12],
      ['dog', 0.004],
    ]);
    expect(summarise(masks)).toBe('person 12 %, car 3 %, dog <1 %');
  });

  it('is one JSON object with the whole result', () => {
    const line = formatJson(crowd, 5);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    const parsed = JSON.parse(line);
    expect(parsed).toEqual({ frameId: 'gate-1700000000000-7', ...crowd, receivedTimeUs: 5 });
  });

  it('tells ages in the unit that fits', () => {
    expect([0.4, 999, 1_000, 65_432, 600_000].map(ageText)).toEqual([
      '0 ms',
      '999 ms',
      '1.0 s',
      '65.4 s',
      '10 min',
    ]);
  });
});

describe('arguments of follow', () => {
  it('reads all of them', () => {
    const args =
      'segmentation --camera a --camera b --json --backfill --from earliest --duration 1.5';
    expect(readFollowArguments(args.split(' '))).toEqual({
      task: 'segmentation',
      cameras: ['a', 'b'],
      json: true,
      backfill: true,
      from: 'earliest',
      durationMs: 1500,
    });
    expect(readFollowArguments(['detection'])).toMatchObject({
      cameras: undefined,
      backfill: false,
      from: 'latest',
    });
    expect(readFollowArguments(['--help'])).toBe('help');
  });

  it.each([
    ['detekt', 'there is no task "detekt".'],
    ['', 'no task is named.'],
    ['detection segmentation', 'one task at a time'],
    ['detection --from now', '--from must be earliest or latest'],
    ['detection --duration soon', '--duration must be a number of seconds'],
    ['detection --camera a/b', '"a/b" can be no camera'],
    ['detection --jason', "Unknown option '--jason'"],
  ])('refuses "%s" and lists the tasks', (text, message) => {
    const args = text.split(' ').filter((part) => part !== '');
    expect(() => readFollowArguments(args)).toThrow(
      expect.objectContaining({
        code: 'usage-invalid',
        message: expect.stringContaining(message),
        advice: expect.stringContaining('classification, detection, segmentation'),
      }),
    );
  });
});
