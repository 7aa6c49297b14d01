import { runTrial } from '#test/fixtures/trial.ts';
import { runSoak } from './run.ts';

/**
 * `npm run soak -- [options]`: one real consumer under steady load for an hour while a camera comes
 * and another goes every second. Memory, open files and connections must not grow. The last line is
 * JSON with their slopes; exit 1 where a slope is above its limit, or a frame is lost or doubled.
 */
const USAGE = `npm run soak -- [--minutes 60] [--rate 200] [--cameras 20] [--write]

  --rate     frames a second of all cameras together
  --cameras  how many there are at any moment
  --write    also keeps the report, in test/results
`;

await runTrial({
  name: 'soak',
  usage: USAGE,
  defaults: { minutes: 60, rate: 200, cameras: 20 },
  read: ({ count, positive }) => ({
    minutes: positive('minutes'),
    framesPerSecond: positive('rate'),
    cameraCount: count('cameras', 1),
  }),
  run: runSoak,
  isFine: ({ isSteady, verdict }) => isSteady && verdict.sound,
});
