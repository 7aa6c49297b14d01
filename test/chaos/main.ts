import { freshSeed } from '#runtime/random.ts';
import { runTrial } from '#test/fixtures/trial.ts';
import { runChaos } from './run.ts';

/**
 * `npm run chaos -- [options]`: three real brokers, real consumers, and kill -9.
 *
 * Frames of many cameras are written at a steady rate while consumers are killed and brokers are
 * bounced at random moments. In the end a reader that shares no code with Halfsight
 * (test/referee/) says whether every frame has one result of each head, in order. The last line is
 * JSON. Exit 1 where it has not.
 */
const USAGE = `npm run chaos -- [--frames 100000] [--cameras 20] [--rate 120] [--consumers 2]
                    [--consumer-kills 50] [--broker-bounces 20] [--scalings 2] [--seed S] [--write]

  --frames          in all; --rate is frames a second of all cameras together
  --consumer-kills  kill -9 of one of --consumers, which is started again at once
  --broker-bounces  one broker of three, killed or stopped in turn, and started again
  --scalings        three more consumers join, and leave again by SIGTERM one after another
  --write           also keeps the report, in test/results
`;

await runTrial({
  name: 'chaos',
  usage: USAGE,
  defaults: {
    frames: 100_000,
    cameras: 20,
    rate: 120,
    consumers: 2,
    'consumer-kills': 50,
    'broker-bounces': 20,
    scalings: 2,
    seed: freshSeed(),
  },
  read: ({ count }) => ({
    frameCount: count('frames', 1),
    cameraCount: count('cameras', 1),
    framesPerSecond: count('rate', 1),
    consumerCount: count('consumers', 1),
    consumerKills: count('consumer-kills', 0),
    brokerBounces: count('broker-bounces', 0),
    scalings: count('scalings', 0),
    seed: count('seed', 0),
  }),
  run: runChaos,
  isFine: ({ verdict }) => verdict.sound,
});
