import { expect, it } from 'vitest';
import { INSPECT_USAGE, readInspectArguments } from '#consumers/dashboard/inspect/arguments.ts';

function read(...args: string[]) {
  return readInspectArguments(args, '/here');
}

it('takes a frame id, and when it was captured', () => {
  const frameId = 'north-1-1700000000000-7';
  expect(read(frameId)).toEqual({ frameId, atUs: undefined, json: false });
  expect(read(frameId, '--at', '2026-11-28T20:00:00Z', '--json')).toEqual({
    ...{ frameId, atUs: Date.UTC(2026, 10, 28, 20) * 1000, json: true },
  });
});

it('takes a file', () => {
  expect(read('--file', 'frame.avro')).toEqual({ file: '/here/frame.avro', json: false });
  expect(read('--file', '/there/frame.avro', '--json')).toEqual({
    ...{ file: '/there/frame.avro', json: true },
  });
});

it('explains itself', () => {
  expect(read('--help')).toBe('help');
  expect(INSPECT_USAGE.split('\n').every((line) => line.length <= 100)).toBe(true);
});

it.each([
  [[], 'inspect takes the id of one frame.'],
  [['gate-1-2', 'gate-1-3'], 'inspect takes the id of one frame.'],
  [['gate'], '"gate" is no frame id: CAMERA-EPOCH-SEQUENCE.'],
  [['gate-1-2', '--at', 'noon'], '--at must be a time such as 2026-11-28T20:00:00Z'],
  [['gate-1-2', '--file', 'x'], '--file names the record, so "gate-1-2" cannot.'],
  [['--file', 'x', '--at', '2026-11-28'], '--at helps to find a frame, and --file names it.'],
  [['--all'], "Unknown option '--all'"],
])('refuses %j', (args, message) => {
  expect(() => read(...args)).toThrow(
    expect.objectContaining({
      ...{ code: 'usage-invalid', message: expect.stringContaining(message) },
      advice: 'See npx halfsight inspect --help.',
    }),
  );
});
