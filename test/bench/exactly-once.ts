import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startTestStack } from '#test/integration/start-stack.ts';
import { describeMachine } from './codec/report.ts';
import { type Load, type Measured, measureMode } from './exactly-once/run.ts';

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

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a number of rounds');

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
        const { framesPerSecond, ageMsP50, ageMsP95 } = one;
        process.stderr.write(
          `round ${round + 1}, ${name}: ${framesPerSecond.toFixed(0)} frames/s, age ` +
            `${ageMsP50.toFixed(0)} ms, p95 ${ageMsP95.toFixed(0)} ms\n`,
        );
      }
    }
  }
} finally {
  await stack.stop();
}

const rows = INTERVALS_MS.flatMap((intervalMs) => KINDS.map((kind) => rowOf(kind, intervalMs)));
const date = new Date().toISOString().slice(0, 10);
const result = { bench: 'exactly-once', date, ...describeMachine(), rounds, load: LOAD, rows };
const table = [
  '| | frames/s | ratio | age p50, ms | ratio | age p95, ms | ratio | frames a commit |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ...rows.map(
    (row) =>
      `| ${row.mode} | ${row.framesPerSecond} | ${row.throughputRatio} | ${row.ageMsP50} ` +
      `| ${row.ageRatioP50} | ${row.ageMsP95} | ${row.ageRatioP95} | ${row.framesPerCommit} |`,
  ),
].join('\n');
process.stdout.write(`${table}\n${JSON.stringify(result)}\n`);
if (values.write) {
  const { commit, cpu, cores, node } = result;
  const lines = [
    `\n## exactly-once, ${date}\n`,
    `Commit ${commit}; ${cpu}, ${cores} cores; Node ${node}; medians of ${rounds} rounds,`,
    `ratios of one round each. ${LOAD.cameraCount} cameras, ${LOAD.partitionCount} partitions,`,
    `tiny bundle; throughput with ${LOAD.backlogFrames} waiting, age at`,
    `${LOAD.framesPerSecond} frames/s.\n`,
    table,
    `\n\`\`\`json\n${JSON.stringify(result)}\n\`\`\``,
  ];
  appendFileSync(join(import.meta.dirname, 'results.md'), `${lines.join('\n')}\n`);
}
process.exit(0);

/** Medians of the rounds; ratios to at least once with the same interval, of one round each. */
function rowOf(kind: string, intervalMs: number) {
  const runs = runsOf(kind, intervalMs);
  const base = runsOf(KINDS[0], intervalMs);
  const of = (value: (run: Measured) => number) => median(runs.map(value));
  const ratio = (value: (run: Measured) => number) =>
    median(runs.map((run, round) => value(run) / value(base[round] ?? run)));
  return {
    mode: `${kind}, ${intervalMs} ms`,
    framesPerSecond: rounded(
      of((run) => run.framesPerSecond),
      0,
    ),
    throughputRatio: rounded(
      ratio((run) => run.framesPerSecond),
      2,
    ),
    ageMsP50: rounded(
      of((run) => run.ageMsP50),
      0,
    ),
    ageMsP95: rounded(
      of((run) => run.ageMsP95),
      0,
    ),
    ageRatioP50: rounded(
      ratio((run) => run.ageMsP50),
      2,
    ),
    ageRatioP95: rounded(
      ratio((run) => run.ageMsP95),
      2,
    ),
    framesPerCommit: rounded(LOAD.backlogFrames / of((run) => run.transactions), 1),
  };
}

function median(given: readonly number[]): number {
  const sorted = given.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
