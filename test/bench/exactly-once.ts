import { startTestStack } from '#test/integration/start-stack.ts';
import { type Load, type Measured, measureMode } from './exactly-once/run.ts';
import { markdownTable, readArguments, report, tell } from './instruments/section.ts';
import { median, medianRatio, rounded } from './instruments/statistics.ts';

/**
 * What exactly-once costs, by the time between two commits:
 *   npm run bench -- exactly-once [--rounds 5] [--write]
 *
 * The whole consumer, with the engine process and a bundle so small that the model costs nearly
 * nothing, on a real broker: first a backlog (throughput), then a steady load (age of the results
 * at a read-committed reader). Against the same consumer that publishes without transactions and
 * keeps its positions for nothing, and gathers results for as long. All take turns in each round.
 */
const INTERVALS_MS = [50, 100, 200, 500, 1000];
const LOAD: Load = {
  cameraCount: 20,
  partitionCount: 4,
  backlogFrames: 6_000,
  framesPerSecond: 100,
  pacedSeconds: 8,
};
const KINDS = ['at least once', 'exactly once'] as const;

const { rounds, write } = readArguments(5);

/** By kind and interval; one entry a round. */
const measured = new Map<string, Measured[]>();
const runsOf = (kind: string, intervalMs: number) =>
  measured.get(`${kind}, ${intervalMs} ms`) ?? [];

const stack = await startTestStack({ redis: false });
try {
  for (let round = 0; round < rounds; round++) {
    for (const intervalMs of INTERVALS_MS) {
      for (const kind of KINDS) {
        const name = `${kind}, ${intervalMs} ms`;
        const mode = { isExactlyOnce: kind === 'exactly once', intervalMs };
        const prefix = `bench-${round}-${name.replaceAll(/[ ,]+/g, '-')}`;
        const one = await measureMode(stack.brokers, mode, LOAD, prefix);
        measured.set(name, [...(measured.get(name) ?? []), one]);
        const { framesPerSecond, ageMsP50, ageMsP95, writtenPerSecond, lateMs } = one;
        tell(
          `round ${round + 1}, ${name}: ${framesPerSecond.toFixed(0)} frames/s, age ` +
            `${ageMsP50.toFixed(0)} ms, p95 ${ageMsP95.toFixed(0)} ms; written at ` +
            `${writtenPerSecond.toFixed(0)} frames/s, paced at most ${lateMs.toFixed(0)} ms late`,
        );
      }
    }
  }
} finally {
  await stack.stop();
}

const rows = INTERVALS_MS.flatMap((intervalMs) => KINDS.map((kind) => rowOf(kind, intervalMs)));
report(
  {
    bench: 'exactly-once',
    rounds,
    about: [
      `${LOAD.cameraCount} cameras, ${LOAD.partitionCount} partitions, tiny bundle. Throughput:`,
      `${LOAD.backlogFrames} frames wait; age: at ${LOAD.framesPerSecond} frames/s.`,
    ],
    tables: [
      markdownTable(
        [
          '',
          'frames/s',
          'ratio',
          'age p50, ms',
          'ratio',
          'age p95, ms',
          'ratio',
          'frames a commit',
        ],
        rows.map((row) => Object.values(row)),
      ),
    ],
    figures: { load: LOAD, rows },
  },
  { write },
);
process.exit(0);

/** Medians of the rounds; ratios to at least once with the same interval, of one round each. */
function rowOf(kind: string, intervalMs: number) {
  const runs = runsOf(kind, intervalMs);
  const base = runsOf(KINDS[0], intervalMs);
  const of = (value: (run: Measured) => number) => median(runs.map(value));
  const ratio = (value: (run: Measured) => number) =>
    rounded(medianRatio(runs.map(value), base.map(value)), 2);
  return {
    mode: `${kind}, ${intervalMs} ms`,
    framesPerSecond: rounded(of((run) => run.framesPerSecond)),
    throughputRatio: ratio((run) => run.framesPerSecond),
    ageMsP50: rounded(of((run) => run.ageMsP50)),
    ageRatioP50: ratio((run) => run.ageMsP50),
    ageMsP95: rounded(of((run) => run.ageMsP95)),
    ageRatioP95: ratio((run) => run.ageMsP95),
    framesPerCommit: rounded(LOAD.backlogFrames / of((run) => run.transactions), 1),
  };
}
