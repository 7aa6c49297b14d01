import { expect, it } from 'vitest';
import { readBridgeArguments } from '#consumers/bridge/arguments.ts';

const OWN = ['shop.result.detection.v1'];
const NEEDED = ['--format', 'nv-frame', '--topic', 'detection', '--to'];

it('takes a topic, or standard output', () => {
  expect(readBridgeArguments([...NEEDED, 'mdx-raw'], OWN)).toMatchObject({
    ...{ format: { name: 'nv-frame' }, task: 'detection', to: 'mdx-raw', from: 'latest' },
  });
  expect(readBridgeArguments([...NEEDED, '-', '--from', 'earliest'], OWN)).toMatchObject({
    ...{ to: '-', from: 'earliest' },
  });
  expect(readBridgeArguments(['--help'], OWN)).toBe('help');
});

it.each([
  ['no format', ['--topic', 'detection', '--to', 'x'], /--format is missing/],
  ['a format of files', ['--format', 'coco', '--topic', 'detection', '--to', 'x'], /no format "c/],
  [
    'what no format holds',
    ['--format', 'onvif', '--topic', 'segmentation', '--to', 'x'],
    /onvif cannot hold segmentation/,
  ],
  ['no destination', NEEDED.slice(0, -1), /--to is missing/],
  ['a name that is no topic', [...NEEDED, 'mdx raw'], /"mdx raw" can be no topic/],
  ['a folder as a topic', [...NEEDED, '..'], /"\.\." can be no topic/],
  ['a topic of its own', [...NEEDED, OWN[0] ?? ''], /is a topic of Halfsight/],
  ['another beginning', [...NEEDED, 'x', '--from', 'now'], /--from must be earliest or latest/],
  ['an unknown option', [...NEEDED, 'x', '--group', 'y'], /Unknown option '--group'/],
])('refuses %s', (_, args, message) => {
  expect(() => readBridgeArguments(args, OWN)).toThrow(
    expect.objectContaining({ code: 'usage-invalid', message: expect.stringMatching(message) }),
  );
});
