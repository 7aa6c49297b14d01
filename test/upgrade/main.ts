import { parseArgs } from 'node:util';
import { runUpgrade } from './run.ts';

/**
 * `npm run upgrade -- --from COMMIT`: agents and consumers of an older version beside those of this
 * one, on the packages of this one, with and without a schema registry. The last line is JSON; exit
 * 1 where a frame was lost, or refused that should have been read.
 */
const USAGE = `npm run upgrade -- --from COMMIT [--seconds 60] [--fps 5]

  --from     a version that git knows: it is checked out beside this one, and removed afterwards
  --seconds  how long each agent publishes, four times
`;

try {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { from: text, seconds: text, fps: text } });
  const { from, seconds = '60', fps = '5' } = values;
  const [secondsNumber, framesPerSecond] = [Number(seconds), Number(fps)];
  if (from === undefined || !(secondsNumber > 0) || !(framesPerSecond > 0)) throw new Error(USAGE);
  const report = await runUpgrade({ from, seconds: secondsNumber, framesPerSecond }, (line) => {
    process.stderr.write(`${line}\n`);
  });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.isFine ? 0 : 1;
} catch (error) {
  const { message, stack } = error as Error;
  process.stderr.write(`${message === USAGE ? USAGE : stack}\n`);
  process.exitCode = message === USAGE ? 2 : 1;
}
