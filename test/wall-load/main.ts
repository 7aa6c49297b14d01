import { runTrial } from '#test/fixtures/trial.ts';
import { runWallLoad } from './run.ts';

/**
 * `npm run wall-load -- [options]`: results and statuses of many cameras are written to a real
 * Kafka as consumers write them, the wall's server reads them, and a browser shows them. The last
 * line is JSON; exit 1 where the page's main thread was busy for half of the time or more, where it
 * stood still, or where the search was slow to answer keys.
 */
const USAGE = `npm run wall-load -- [--cameras 1000] [--fps 2] [--minutes 10] [--write]

  --fps      of each camera, three results a frame
  --minutes  that are measured, after a start of ten seconds
  --write    also keeps the report, in test/results
`;

await runTrial({
  name: 'wall',
  usage: USAGE,
  defaults: { cameras: 1_000, fps: 2, minutes: 10 },
  read: ({ count, positive }) => ({
    cameraCount: count('cameras', 1),
    framesPerSecond: positive('fps'),
    minutes: positive('minutes'),
  }),
  run: runWallLoad,
  isFine: ({ isFine }) => isFine,
});
