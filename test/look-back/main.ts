import { runTrial } from '#test/fixtures/trial.ts';
import { runLookBack } from './run.ts';

/**
 * `npm run look-back -- [options]`: frames that are stored are asked by a head that did not exist
 * when they were recorded, while live traffic runs; the worker is killed twice. Results must be
 * complete and each there once, and live results no older than without it. The last line is JSON;
 * exit 1 where it is not so.
 */
const USAGE = `npm run look-back -- [--frames 20000] [--rate 200] [--fps 20]
                     [--seconds 60] [--write]

  --frames   that are stored
  --rate     of the backfill: at most so many frames a second
  --fps      live frames a second, of four cameras together
  --seconds  of live traffic alone, before and after
  --write    also keeps the report, in test/results
`;

await runTrial({
  name: 'look-back',
  usage: USAGE,
  defaults: { frames: 20_000, rate: 200, fps: 20, seconds: 60 },
  read: ({ count, positive }) => ({
    frameCount: count('frames', 100),
    framesPerSecondMax: positive('rate'),
    liveFramesPerSecond: positive('fps'),
    seconds: positive('seconds'),
  }),
  run: runLookBack,
  isFine: ({ isFine }) => isFine,
});
