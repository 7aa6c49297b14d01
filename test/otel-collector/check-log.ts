import { readFileSync } from 'node:fs';

/** Reads the debug exporter's log: how many traces hold every step of a frame? Exit 1 if none. */
const STEPS = [
  'capture',
  'await encoder',
  'encode',
  'send halfsight.camera.frame.v1',
  'fetch',
  'parse',
  'batch',
  'decode',
  'body',
  'head classification',
  'head detection',
  'head segmentation',
  'publish',
  'commit',
];

const log = readFileSync(process.argv[2] ?? 'log', 'utf8');
const namesOf = new Map<string, Set<string>>();
for (const [, traceId = '', name = ''] of log.matchAll(
  /^ +Trace ID +: ([0-9a-f]{32})\n(?:^ +(?:Parent )?ID.*\n)+^ +Name +: (.*)$/gm,
)) {
  const names = namesOf.get(traceId) ?? new Set();
  namesOf.set(traceId, names.add(name.trim()));
}
const whole = [...namesOf.values()].filter(
  (names) =>
    STEPS.every((step) => names.has(step)) && [...names].some((name) => name.startsWith('deliver')),
);
process.stdout.write(
  `${namesOf.size} traces in the collector, ${whole.length} of them with every step from capture ` +
    `to subscriber\n`,
);
process.exit(whole.length > 0 ? 0 : 1);
