import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { assert } from '#runtime/assert.ts';
import { COMPRESSAI_VERSION } from '#test/compressai/prepare.ts';
import { type Contender, type Direction, openContenders } from './codec/contenders.ts';
import { type BenchLatent, benchLatents } from './codec/latents.ts';
import {
  conversionOf,
  markdownTables,
  type Nanoseconds,
  type Row,
  ratiosOf,
  type Times,
} from './codec/report.ts';
import { describeMachine } from './instruments/machine.ts';
import { quantile } from './instruments/statistics.ts';

/**
 * The entropy coders against one another and against CompressAI, in nanoseconds a symbol:
 *   npm run bench -- codec [--rounds 40] [--write]
 *
 *   fast            codec/rans-wasm.ts; a whole call, from symbols to bytes and back; `decodePair`
 *                   is two streams in one call, a symbol of either counted
 *   reference       codec/rans-reference.ts
 *   native          CompressAI's own C++, compiled here, on C++ vectors: no Python around it
 *   pythonSameCode  that machine code called from Python; less `native`, what its lists cost
 *   python          CompressAI from its published wheel, called as its users call it
 *
 * All take turns, round by round, so that noise hits all alike. In a turn the first call is not
 * counted: caches belong to whoever was there before. All must give the same bytes.
 * The last line is JSON; `--write` appends it to results.md, with tables.
 */
const CALLS_PER_TURN = 4;
const RESULTS = join(import.meta.dirname, 'results.md');
const HEAP_OPTIONS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
assert(Number.isInteger(rounds) && rounds > 0, '--rounds is a number of rounds');

const { contenders, unavailable } = openContenders();
for (const line of unavailable) process.stderr.write(`${line}\n`);
const rows: Row[] = [];
try {
  for (const latent of await benchLatents()) {
    process.stderr.write(`${latent.name} ...\n`);
    rows.push(await measure(latent));
  }
} finally {
  await Promise.all(contenders.map((contender) => contender.close()));
}
process.stderr.write('allocations ...\n');
const result = {
  bench: 'codec',
  date: new Date().toISOString().slice(0, 10),
  ...describeMachine(),
  compressai: COMPRESSAI_VERSION,
  rounds,
  unavailable,
  rows: rows.map((row) => ({
    ...row,
    conversionNs: conversionOf(row),
    ratios: ratiosOf(row, 'min'),
    ratiosOfMedians: ratiosOf(row, 'median'),
  })),
  allocations: measureAllocations(),
};
process.stdout.write(`${markdownTables(rows)}\n${JSON.stringify(result)}\n`);
if (values.write) appendResults();

async function measure(latent: BenchLatent): Promise<Row> {
  const streams: Uint8Array[] = [];
  for (const contender of contenders) streams.push(await contender.load(latent));
  const [stream = new Uint8Array()] = streams;
  const isSame = streams.every((other) => Buffer.compare(stream, other) === 0);
  assert(isSame, 'all coders give the same bytes');
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      if (round % contender.everyRounds !== 0) continue;
      await takeTurn(contender, latent, samples);
    }
  }
  const symbols = latent.run.symbols.length;
  const bitsPerSymbol = Number(((8 * stream.length) / symbols).toFixed(3));
  const times = summary(samples, symbols);
  return { latent: latent.name, symbols, bytes: stream.length, bitsPerSymbol, times };
}

async function takeTurn(
  contender: Contender,
  { other }: BenchLatent,
  samples: Map<string, number[]>,
): Promise<void> {
  const isSlow = contender.everyRounds > 1;
  for (const direction of contender.directions) {
    if (direction === 'decodePair' && other === undefined) continue;
    const [, ...counted] = await contender.time(direction, isSlow ? 2 : CALLS_PER_TURN);
    const key = keyOf(contender.name, direction);
    samples.set(key, [...(samples.get(key) ?? []), ...counted]);
  }
}

function keyOf(name: string, direction: Direction): string {
  return `${name} ${direction}`;
}

function summary(samples: ReadonlyMap<string, readonly number[]>, symbols: number): Times {
  const names = ['fast', 'reference', 'native', 'pythonSameCode', 'python'];
  const directions: readonly Direction[] = ['encode', 'decode', 'decodePair'];
  return Object.fromEntries(
    names.map((name) => {
      const times: Partial<Record<Direction, Nanoseconds>> = {};
      for (const direction of directions) {
        const found = samples.get(keyOf(name, direction));
        const counted = direction === 'decodePair' ? 2 * symbols : symbols;
        if (found !== undefined) times[direction] = perSymbol(found, counted);
      }
      return [name, Object.keys(times).length === 0 ? null : times];
    }),
  );
}

function perSymbol(nanoseconds: readonly number[], symbols: number): Nanoseconds {
  const at = (share: number) => Number((quantile(nanoseconds, share) / symbols).toFixed(2));
  return { min: at(0), median: at(0.5) };
}

/** In a process of its own, with a garbage collector that can be told to wait. */
function measureAllocations(): unknown {
  const file = join(import.meta.dirname, 'codec', 'heap-main.ts');
  const child = spawnSync(process.execPath, [...HEAP_OPTIONS, file], { encoding: 'utf8' });
  assert(child.status === 0, `allocations cannot be counted: ${child.stderr}`);
  return JSON.parse(child.stdout);
}

function appendResults(): void {
  const { date, commit, cpu, cores, node } = result;
  const lines = [
    '',
    `## codec, ${date}`,
    '',
    `Commit ${commit}; ${cpu}, ${cores} cores; Node ${node}; CompressAI ${COMPRESSAI_VERSION}.`,
    `Nanoseconds a symbol, minimum / median of ${rounds} rounds; then ratios, likewise.`,
    ...unavailable,
    '',
    markdownTables(rows),
    '',
    '```json',
    JSON.stringify(result),
    '```',
    '',
  ];
  appendFileSync(RESULTS, lines.join('\n'));
}
