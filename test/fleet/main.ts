import { runTrial } from '#test/fixtures/trial.ts';
import { runFleet } from './run.ts';

/**
 * `npm run fleet -- [options]`: whole camera agents with stub pixels share the cameras of a real
 * registry. One agent is killed, cameras are added and removed, and Redis goes away for minutes.
 * Who owned a camera in which epoch, what was lost and how late frames were is told by the topics.
 * The last line is JSON; exit 1 where a camera had two owners, a frame is missing, memory grew, or
 * the take-over took too long.
 */
const USAGE = `npm run fleet -- [--agents 4] [--cameras 1000] [--fps 0.5] [--cycles 1000]
                 [--minutes 5] [--write]

  --fps      of each camera
  --cycles   cameras that are added and removed, one in the place of another
  --minutes  that Redis is away
  --write    also keeps the report, in test/results
`;

await runTrial({
  name: 'fleet',
  usage: USAGE,
  defaults: { agents: 4, cameras: 1_000, fps: 0.5, cycles: 1_000, minutes: 5 },
  read: ({ count, positive }) => ({
    agentCount: count('agents', 2),
    cameraCount: count('cameras', 1),
    framesPerSecond: positive('fps'),
    cycleCount: count('cycles', 0),
    minutesWithoutRedis: positive('minutes'),
  }),
  run: runFleet,
  isFine: ({ isFine }) => isFine,
});
