import { expect, it } from 'vitest';
import { readPlanArguments } from '#infra/plan/arguments.ts';
import { bundleName, completeFleet } from '#infra/plan/complete.ts';
import { loadBundle } from '#models/bundle.ts';
import { readEnvironment } from '#runtime/settings.ts';

function read(...args: string[]) {
  const values = readPlanArguments(args, '/folder');
  if (values === 'help') throw new Error('help');
  return values;
}

it('needs no more than a number of cameras', () => {
  expect(read('--cameras', '40')).toEqual({
    fleet: {
      ...{ cameras: 40, framesPerSecond: 5, retentionHours: 24, replication: 3 },
      ...{ utilisation: 0.7, growth: 2, subscribers: 1, camerasPerAgent: undefined },
      ...{ outageMinutes: 10, gpuFramesPerSecond: undefined, brokerCores: 8 },
      brokerMegabytesPerSecond: 100,
    },
    ...{ heads: undefined, bundleDirectory: undefined, ratePoint: undefined },
    ...{ bitstreamBytes: undefined, constantsFile: undefined, json: false },
  });
  expect(readPlanArguments(['--help'], '/folder')).toBe('help');
});

it('takes files from the folder that it is started in', () => {
  const { constantsFile, bundleDirectory } = read(
    ...['--cameras', '1', '--constants', 'mine.json', '--bundle', 'b'],
  );
  expect({ constantsFile, bundleDirectory }).toEqual({
    constantsFile: '/folder/mine.json',
    bundleDirectory: '/folder/b',
  });
});

it.each([
  ['no cameras', [], '--cameras is missing.'],
  ['half a camera', ['--cameras', '1.5'], '--cameras must be a whole number, but is "1.5".'],
  ['a rate of nothing', ['--cameras', '1', '--fps', '0'], /--fps must be a number from 0.1 to 60/],
  ['a head that nobody has', ['--cameras', '1', '--heads', 'pose'], /--heads names "pose"/],
  ['a GPU of unknown speed', ['--cameras', '1', '--gpu'], /none is assumed/],
  ['a speed without a GPU', ['--cameras', '1', '--gpu-frames-per-second', '9'], /needs --gpu/],
  ['both', ['--cameras', '1', '--gpu', '--cpu'], /contradict/],
  ['an unknown option', ['--cameras', '1', '--camera', '2'], /camera/],
  ['more than can be used', ['--cameras', '1', '--utilisation', '1.2'], /from 0.05 to 1/],
])('refuses %s', (_, args, message) => {
  expect(() => read(...args)).toThrow(expect.objectContaining({ code: 'usage-invalid' }));
  expect(() => read(...args)).toThrow(message);
});

it('the bundle fills in its heads, its bytes and its picture', async () => {
  const { manifest } = await loadBundle(readEnvironment({}).bundleDirectory);
  const constants = { bundle: bundleName(manifest) };
  const complete = (...args: string[]) =>
    completeFleet(read('--cameras', '1', ...args), manifest, constants);
  expect(complete()).toMatchObject({
    heads: ['classification', 'detection', 'segmentation'],
    ...{ bitstreamBytes: 3_327, pictureBytes: 416 * 416 * 3 },
  });
  expect(complete('--rate-point', 'fine').bitstreamBytes).toBe(5_157);
  expect(complete('--rate-point', '3').bitstreamBytes).toBe(1_273);
  expect(complete('--bytes-per-frame', '900').bitstreamBytes).toBe(900);
  expect(() => complete('--rate-point', 'huge')).toThrow(/no rate point "huge"/);
  const other = { ...manifest, name: 'other' };
  expect(() => completeFleet(read('--cameras', '1'), other, constants)).toThrow(
    /measured with halfsight-lite0 0.2.0, not with other 0.2.0/,
  );
});
