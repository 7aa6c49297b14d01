/** What knows nothing of frames, nor of anything outside the process. */
const LEAVES = [
  'assert',
  'broker',
  'clock',
  'crc',
  'errors',
  'limits',
  'log',
  'no-telemetry',
  'random',
].map((leaf) => `runtime/${leaf}.ts`);

export interface Layer {
  readonly folder: string;
  readonly mayImport: readonly string[];
}

/** What the files of a folder may import, as path prefixes. The first row that matches counts. */
export const LAYERS: readonly Layer[] = [
  { folder: 'runtime/', mayImport: ['runtime/'] },
  { folder: 'schemas/', mayImport: ['schemas/', ...LEAVES] },
  { folder: 'codec/', mayImport: ['codec/', ...LEAVES] },
  { folder: 'models/', mayImport: ['models/', 'codec/', ...LEAVES] },
  { folder: 'producers/fleet/', mayImport: ['producers/fleet/', 'runtime/', 'schemas/'] },
  {
    folder: 'producers/camera/',
    mayImport: [
      ...['producers/camera/', 'producers/fleet/'],
      ...['runtime/', 'schemas/', 'codec/', 'models/'],
    ],
  },
  {
    folder: 'consumers/inference/',
    mayImport: ['consumers/inference/', 'runtime/', 'schemas/', 'codec/', 'models/'],
  },
  {
    folder: 'consumers/subscriber/',
    mayImport: ['consumers/subscriber/', 'runtime/', 'schemas/'],
  },
  // Dead letters are read as a subscriber reads: to the end of a topic, as a table.
  {
    folder: 'consumers/dead-letters/',
    mayImport: ['consumers/dead-letters/', 'consumers/subscriber/', 'runtime/', 'schemas/'],
  },
  // Results leave for elsewhere: files, receivers, reports. Of jobs they know the port, since some
  // are run as jobs, and how errors of the queue's Redis are judged.
  {
    folder: 'consumers/export/',
    mayImport: [
      ...['consumers/export/', 'consumers/subscriber/', 'consumers/jobs/kind.ts'],
      ...['runtime/', 'schemas/'],
    ],
  },
  {
    folder: 'consumers/webhooks/',
    mayImport: [
      ...['consumers/webhooks/', 'consumers/subscriber/', 'runtime/', 'schemas/'],
      ...['consumers/jobs/queue-connection.ts', 'consumers/jobs/redis-watch.ts'],
    ],
  },
  // What is written elsewhere is what an export writes into a file.
  {
    folder: 'consumers/bridge/',
    mayImport: [
      ...['consumers/bridge/', 'consumers/subscriber/', 'runtime/', 'schemas/'],
      ...['format', 'frame-formats', 'selection'].map((name) => `consumers/export/${name}.ts`),
    ],
  },
  {
    folder: 'consumers/reports/',
    mayImport: [
      ...['consumers/reports/', 'consumers/subscriber/', 'consumers/webhooks/'],
      ...['consumers/jobs/kind.ts', 'runtime/', 'schemas/'],
    ],
  },
  // Jobs run what else there is, the inference pipeline for one, on what is stored.
  {
    folder: 'consumers/jobs/',
    mayImport: [
      ...['consumers/jobs/', 'consumers/inference/', 'consumers/subscriber/'],
      ...['consumers/dead-letters/', 'consumers/export/', 'consumers/reports/'],
      ...['runtime/', 'schemas/', 'models/'],
    ],
  },
  // A frame's record is read as it is: by schemas and codec, with the tables of a bundle.
  {
    folder: 'consumers/dashboard/inspect/',
    mayImport: [
      ...['consumers/dashboard/inspect/', 'consumers/subscriber/', 'runtime/', 'schemas/'],
      ...['codec/', 'models/bundle.ts'],
    ],
  },
  // The wall takes in spans as anybody's collector would: they are read by what they say.
  { folder: 'consumers/dashboard/traces/', mayImport: ['consumers/dashboard/traces/', ...LEAVES] },
  // The page in the browser: what its server says to it, and what is pure of what both know.
  {
    folder: 'consumers/dashboard/page/',
    mayImport: [
      ...['consumers/dashboard/page/', 'consumers/dashboard/protocol.ts', 'schemas/', ...LEAVES],
      ...['history', 'inspect/inspection', 'traces/trace-span', 'traces/waterfall'].map(
        (name) => `consumers/dashboard/${name}.ts`,
      ),
    ],
  },
  // The wall's server: a subscriber that shows; of jobs it looks at the queue.
  {
    folder: 'consumers/dashboard/',
    mayImport: [
      ...['consumers/dashboard/', 'consumers/subscriber/', 'consumers/jobs/job.ts'],
      ...['consumers/jobs/job-queue.ts', 'codec/', 'models/', 'runtime/', 'schemas/'],
    ],
  },
  // The composition root of `npm start`: it shows results, so it subscribes like anyone else.
  {
    folder: 'infra/start/',
    mayImport: ['infra/', 'consumers/subscriber/', 'models/bundle.ts', 'runtime/', 'schemas/'],
  },
  // The composition root of `npm run evaluate`: camera and consumer in one, without Kafka between.
  {
    folder: 'infra/evaluate/',
    mayImport: [
      ...['infra/', 'models/', 'codec/', 'runtime/', 'schemas/'],
      ...['producers/camera/', 'consumers/inference/'],
    ],
  },
  // `npx halfsight`: a table of the other commands' main.ts.
  {
    folder: 'infra/command/',
    mayImport: [
      ...['infra/', 'runtime/'],
      ...['consumers/subscriber/', 'consumers/dead-letters/', 'consumers/jobs/'],
      ...['main', 'arguments'].map((name) => `consumers/export/${name}.ts`),
      ...['main', 'arguments'].map((name) => `consumers/bridge/${name}.ts`),
      'consumers/webhooks/command-main.ts',
      ...['main', 'arguments'].map((name) => `consumers/dashboard/inspect/${name}.ts`),
      'consumers/dashboard/main.ts',
    ],
  },
  // The operator's view of the registry; a source is judged as the agents judge it.
  {
    folder: 'infra/fleet/',
    mayImport: [
      ...['infra/fleet/', 'producers/fleet/', 'runtime/', 'schemas/'],
      ...['producers/camera/source-address.ts', 'producers/camera/sources/redact.ts'],
      ...['consumers/subscriber/text-table.ts', 'consumers/subscriber/print.ts'],
      'consumers/subscriber/result-text.ts',
    ],
  },
  // The operator's hand on the folder of heads; a head is judged as the consumers judge it.
  {
    folder: 'infra/heads/',
    mayImport: [
      ...['infra/heads/', 'models/', 'runtime/', 'schemas/', 'consumers/subscriber/print.ts'],
      ...['text-table', 'read-to-end', 'local-servers'].map(
        (name) => `consumers/subscriber/${name}.ts`,
      ),
    ],
  },
  // The operator's view of the queue of jobs.
  {
    folder: 'infra/jobs/',
    mayImport: [
      ...['infra/jobs/', 'consumers/jobs/', 'runtime/', 'schemas/'],
      ...['print', 'result-text', 'text-table'].map((name) => `consumers/subscriber/${name}.ts`),
    ],
  },
  // The operator's hand over HTTP: the commands' own rules, registry, queue and folder of heads.
  {
    folder: 'infra/control/',
    mayImport: [
      ...['infra/control/', 'infra/fleet/', 'infra/heads/', 'infra/command/nearest.ts'],
      ...['producers/fleet/', 'consumers/jobs/', 'consumers/dead-letters/'],
      ...['consumers/subscriber/local-servers.ts', 'consumers/subscriber/print.ts'],
      ...['models/bundle.ts', 'runtime/', 'schemas/'],
    ],
  },
  // What is looked at from outside: lists, alerts and boards of what the processes count.
  {
    folder: 'infra/observability/',
    mayImport: [
      ...['infra/observability/', 'infra/control/telemetry.ts', 'runtime/'],
      ...['producers/camera/metric-tables.ts', 'consumers/inference/metric-tables.ts'],
      ...['consumers/webhooks/telemetry.ts', 'consumers/jobs/telemetry.ts'],
      ...['consumers/dashboard/telemetry.ts', 'consumers/bridge/telemetry.ts'],
    ],
  },
  {
    folder: 'infra/plan/',
    mayImport: [
      ...['infra/', 'runtime/', 'schemas/'],
      ...['models/bundle.ts', 'consumers/subscriber/text-table.ts'],
    ],
  },
  { folder: 'infra/', mayImport: ['infra/', 'runtime/', 'schemas/'] },
  { folder: 'test/', mayImport: [''] },
];
