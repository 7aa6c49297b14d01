import { LIMITS } from '#runtime/limits.ts';
import { runTrial } from '#test/fixtures/trial.ts';
import { runOutage } from './run.ts';

/**
 * `npm run outage -- [options]`: the broker goes away for minutes under a real camera agent with a
 * spool, and comes back. Then every frame that was captured must have one result of each head, in
 * order, or be counted as dropped, and the agent's memory must have been flat. The last line is
 * JSON; exit 1 where it is not so.
 */
const USAGE = `npm run outage -- [--minutes 10] [--cameras 4] [--fps 5] [--megabytes 256] [--write]

  --megabytes  of the spool; too few to hold the outage make drops, which must be counted
  --write      also keeps the report, in test/results
`;

await runTrial({
  name: 'outage',
  usage: USAGE,
  defaults: {
    minutes: 10,
    cameras: 4,
    fps: 5,
    megabytes: LIMITS.spoolBytesDefault / 1024 / 1024,
  },
  read: ({ count, positive }) => ({
    minutes: positive('minutes'),
    cameraCount: count('cameras', 1),
    framesPerSecond: positive('fps'),
    spoolMegabytes: count('megabytes', LIMITS.spoolBytesMin / 1024 / 1024),
  }),
  run: runOutage,
  isFine: ({ isFine }) => isFine,
});
