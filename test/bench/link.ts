import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { streetPictures } from './instruments/bundle-frames.ts';
import { SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { readArguments, report, tell } from './instruments/section.ts';
import { rounded } from './instruments/statistics.ts';
import { type Contender, contendersOf } from './link/contenders.ts';
import { type Evaluated, equalAccuracies } from './link/equal-accuracy.ts';
import { type Freshness, freshnessOf } from './link/freshness.ts';
import { type Traffic, trafficBetween } from './link/kafka-traffic.ts';
import { openSite } from './link/site.ts';
import {
  accuracyTable,
  type Fitted,
  fittedRows,
  fittedTable,
  type Greedy,
  greedyRows,
  greedyTable,
  wireRows,
  wireTable,
} from './link/tables.ts';
import { type Line, payloadPerSecond, rateOf, type Wire, wireOf } from './link/wire.ts';

/**
 * What a camera behind a thin line can show, and how fresh it is:
 *   npm run bench -- link [--rounds 3] [--write]
 *
 * One camera over lines from 1 Mbit/s to 37.5 kbit/s that are 30 ms long, with Halfsight's
 * bitstreams and its inference consumer: all three tasks, capture to subscriber. Against
 *   jpeg, webp, avif   real files in the same record, through the same agent and broker, until a
 *                      reader has them. To encode, to decode and to analyse them costs nothing here
 *   three encodings    a bitstream for each task, read likewise
 * each as large as `npm run evaluate` found that it has to be to detect as well (rule in
 * link/equal-accuracy.ts, sizes in link/contenders.ts). What is compared is thus the ratio of bytes
 * in a report; the bundle that comes with Halfsight, whose bitstreams are sent, detects much worse
 * than the one of that report, and the first table says what its own accuracy is worth.
 *
 * All contenders run side by side, each on a line of its own: pairs in the same seconds. Each would
 * have 5 fps, and where its line carries less, 80 % of what it carries, as a user would set `fps`.
 * Its agents have no rate control: behind a line that carries less than the camera gives, frames
 * wait in order, in memory or on disk. A camera that keeps its 5 fps shows that.
 */
const DELAY_MS = 30;
const LINES = [1000, 500, 250, 100, 37.5].map((kilobits) => ({ kilobits, delayMs: DELAY_MS }));
const WANTED_FPS = 5;
const LINE_SHARE = 0.8;
const WIRE_SECONDS = 8;
const WARM_SECONDS = 4;
const SECONDS = 15;
const PICTURES = 8;

/** Pixel codecs, and bundles that saw more than the shipped one, on the same pictures. */
const EVALUATED: Evaluated = {
  file: 'models/split/results/detection/report.json',
  bundle: 'split-three',
};
const SHIPPED: Evaluated = {
  file: 'models/bundles/halfsight-lite0/evaluation/report.json',
  bundle: 'halfsight-lite0',
};

const { rounds, write } = readArguments(3);
const bundle = await loadBundle(SHIPPED_BUNDLE);
const { name, defaultRatePoint } = bundle.manifest;
const equals = equalAccuracies(EVALUATED);
const equal = defined(equals[defaultRatePoint], 'the default rate point');
const pictures = await streetPictures(bundle, PICTURES);
const contenders = await contendersOf(bundle, pictures, equal);
const { own, others, greedy } = contenders;
const fitting = [own, ...others];

const fitted: Fitted[] = [];
const tooFast: Greedy[] = [];
const site = await openSite(contenders, pictures);
let wires: ReadonlyMap<Contender, Wire>;
try {
  wires = await measureWires();
  for (let round = 0; round < rounds; round++) {
    for (const line of LINES) await measureLine(line, `round ${round + 1}`);
  }
} finally {
  await site.close();
}

const rows = { fitted: fittedRows(fitted, own.name), greedy: greedyRows(tooFast) };
const wireBytes = wireRows(wires);
report(
  {
    bench: 'link',
    rounds,
    about: [
      `${SECONDS} s a line, ${DELAY_MS} ms long; ${PICTURES} pictures of a street. Records of`,
      `${name} at rate point ${defaultRatePoint}; those of the others are as many times as large`,
      `as in \`${EVALUATED.file}\``,
      `at an mAP50 of ${rounded(equal.mAP50, 3)}. They were encoded before and nobody analyses`,
      'them: their age ends where a reader has the record.',
    ],
    tables: [
      accuracyTable([
        [EVALUATED, equals],
        [SHIPPED, equalAccuracies(SHIPPED)],
      ]),
      wireTable(wireBytes),
      fittedTable(rows.fitted),
      greedyTable(rows.greedy, WANTED_FPS),
    ],
    figures: {
      evaluated: EVALUATED,
      equal: { ...equal, opponents: Object.fromEntries(equal.opponents) },
      lineShare: LINE_SHARE,
      delayMs: DELAY_MS,
      wireBytes,
      ...rows,
    },
  },
  { write },
);
process.exit(0);

/** What a frame of each takes on the wire, over a good line. */
function measureWires(): Promise<ReadonlyMap<Contender, Wire>> {
  const rates = new Map(fitting.map((one) => [one, WANTED_FPS] as const));
  return site.withCameras(rates, async () => {
    await systemClock.sleep(WARM_SECONDS * 1000);
    site.arrivals.forget();
    const before = fitting.map(({ prefix }) => site.traffic.of(prefix));
    await systemClock.sleep(WIRE_SECONDS * 1000);
    return new Map(
      fitting.map((one, index) => {
        const spent = trafficBetween(before[index] as Traffic, site.traffic.of(one.prefix));
        return [one, wireOf(spent, site.arrivals.frames(site.tableOf(one)), WIRE_SECONDS)];
      }),
    );
  });
}

async function measureLine(line: Line, round: string): Promise<void> {
  const { kilobits, delayMs } = line;
  const rates = new Map<Contender, number>();
  for (const [one, wire] of wires) {
    rates.set(one, Math.min(WANTED_FPS, LINE_SHARE * rateOf(wire, line)));
  }
  // Where the wanted rate fits, it is what Halfsight has anyway.
  const isTooFast = (rates.get(own) as number) < WANTED_FPS;
  const running = isTooFast ? new Map([...rates, [greedy, WANTED_FPS]]) : rates;
  await site.withCameras(running, async () => {
    site.lineBecomes({ delayMs, bytesPerSecond: payloadPerSecond(line) });
    await systemClock.sleep(WARM_SECONDS * 1000);
    site.arrivals.forget();
    await systemClock.sleep(SECONDS * 1000);
    for (const [one, rate] of rates) takeFitted(one, kilobits, rate, round);
    if (isTooFast) takeTooFast(kilobits, round);
  });
}

function takeFitted(one: Contender, kilobits: number, askedPerSecond: number, round: string): void {
  const { name } = one;
  const frames = freshnessOf(site.arrivals.frames(site.tableOf(one)));
  const results = one === own ? freshnessOf(site.arrivals.results()) : undefined;
  fitted.push({ kilobits, name, askedPerSecond, frames, results });
  const analysed = results === undefined ? '' : `, of results ${agesIn(results)}`;
  tell(
    `${round}, ${kilobits} kbit/s, ${name}: ${frames.perSecond.toFixed(2)} of ` +
      `${askedPerSecond.toFixed(2)} frames/s, age ${agesIn(frames)}${analysed}`,
  );
}

function agesIn({ p50Ms, p95Ms }: Freshness): string {
  return `${p50Ms.toFixed(0)} ms, p95 ${p95Ms.toFixed(0)} ms`;
}

function takeTooFast(kilobits: number, round: string): void {
  const table = site.tableOf(greedy);
  const perSecond = site.arrivals.frames(table).length / SECONDS;
  const newestAgeMs = site.arrivals.newestAgeMs(table);
  tooFast.push({ kilobits, perSecond, newestAgeMs, seconds: WARM_SECONDS + SECONDS });
  tell(
    `${round}, ${kilobits} kbit/s, ${greedy.name}: ${perSecond.toFixed(2)} of ${WANTED_FPS} ` +
      `frames/s, the newest ${newestAgeMs.toFixed(0)} ms old`,
  );
}
