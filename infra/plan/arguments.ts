import { resolve } from 'node:path';
import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { type Fleet, RETENTION_HOURS } from './fleet.ts';

const CAMERAS_MAX = 1_000_000;
const { framesPerSecondMax: FPS_MAX, camerasPerAgentMax: AGENT_MAX } = LIMITS;

export const PLAN_USAGE = `\
Usage: npx halfsight plan --cameras N [options]

Says what a fleet needs: partitions, brokers, traffic and disk, agents and consumers, and what an
outage or a lost consumer does. It computes and simulates; it connects to nothing.

  --cameras N              cameras in all
  --fps N                  frames each camera sends per second; default 5
  --heads A,B              of ${TASKS.join(', ')}; default all of the bundle

  --cpu                    engines compute on processors; the default
  --gpu                    engines compute on GPUs, which were never measured here, so:
  --gpu-frames-per-second N  what one GPU of yours does with these heads

  --bundle FOLDER          default HALFSIGHT_BUNDLE or the one that comes with Halfsight
  --rate-point NAME        of the bundle, by name or number; default the bundle's
  --bytes-per-frame N      mean size of a bitstream, where you know better than the bundle

  --replication N          copies of every record; default 3
  --retention-hours N      of frames and results; default ${RETENTION_HOURS}
  --subscribers N          groups that read every result; default 1
  --outage-minutes N       how long brokers may be away without a loss; default 10
  --utilisation N          share of a core, GPU or network that the load may take; default 0.7
  --growth N               partitions for so many times the consumers; default 2, because their
                           number cannot be changed without moving cameras
  --cameras-per-agent N    default as many as one encoder thread carries; ${AGENT_MAX} at most
  --broker-cores N         default 8
  --broker-megabytes N     per second that a broker's network and disk take; default 100

  --constants FILE         measured on your machines: npm run bench -- plan --fit > FILE
  --json                   everything that was computed, as one JSON object
  --help
`;

const line = new CommandLine('See npx halfsight plan --help.');

export interface PlanArguments {
  /** What the bundle says is left to it. */
  readonly fleet: Omit<Fleet, 'heads' | 'bitstreamBytes' | 'pictureBytes'>;
  readonly heads: readonly Task[] | undefined;
  readonly bundleDirectory: string | undefined;
  readonly ratePoint: string | undefined;
  readonly bitstreamBytes: number | undefined;
  readonly constantsFile: string | undefined;
  readonly json: boolean;
}

/** Throws `usage-invalid`. */
export function readPlanArguments(args: readonly string[], folder: string): PlanArguments | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const fleet = {
    cameras: line.needed('--cameras', line.whole('--cameras', values.cameras, 1, CAMERAS_MAX)),
    framesPerSecond: line.number('--fps', values.fps, 0.1, FPS_MAX) ?? 5,
    retentionHours:
      line.number('--retention-hours', values['retention-hours'], 0.1, 8760) ?? RETENTION_HOURS,
    replication: line.whole('--replication', values.replication, 1, 15) ?? 3,
    utilisation: line.number('--utilisation', values.utilisation, 0.05, 1) ?? 0.7,
    growth: line.number('--growth', values.growth, 1, 100) ?? 2,
    subscribers: line.whole('--subscribers', values.subscribers, 0, 1000) ?? 1,
    camerasPerAgent: line.whole('--cameras-per-agent', values['cameras-per-agent'], 1, AGENT_MAX),
    outageMinutes: line.number('--outage-minutes', values['outage-minutes'], 0, 60 * 24 * 7) ?? 10,
    gpuFramesPerSecond: gpu(values),
    brokerCores: line.number('--broker-cores', values['broker-cores'], 1, 1024) ?? 8,
    brokerMegabytesPerSecond:
      line.number('--broker-megabytes', values['broker-megabytes'], 1, 100_000) ?? 100,
  };
  const { bundle, constants } = values;
  return {
    fleet,
    heads: values.heads === undefined ? undefined : headsOf(values.heads),
    bundleDirectory: bundle === undefined ? undefined : resolve(folder, bundle),
    ratePoint: values['rate-point'],
    bitstreamBytes: line.number(
      '--bytes-per-frame',
      values['bytes-per-frame'],
      1,
      LIMITS.frameRecordBytesMax,
    ),
    constantsFile: constants === undefined ? undefined : resolve(folder, constants),
    json: values.json ?? false,
  };
}

function parse(args: readonly string[]) {
  return line.readOptions(args, {
    ...{ cameras: TEXT, fps: TEXT, heads: TEXT, cpu: FLAG, gpu: FLAG },
    ...{ 'gpu-frames-per-second': TEXT, bundle: TEXT, 'rate-point': TEXT },
    ...{ 'bytes-per-frame': TEXT, replication: TEXT, 'retention-hours': TEXT, subscribers: TEXT },
    ...{ 'outage-minutes': TEXT, utilisation: TEXT, growth: TEXT, 'cameras-per-agent': TEXT },
    ...{ 'broker-cores': TEXT, 'broker-megabytes': TEXT, constants: TEXT, json: FLAG, help: FLAG },
  });
}

function gpu(values: ReturnType<typeof parse>): number | undefined {
  const written = values['gpu-frames-per-second'];
  if (values.cpu && values.gpu) throw line.wrong('--cpu and --gpu contradict each other.');
  if (!values.gpu) {
    if (written === undefined) return undefined;
    throw line.wrong('--gpu-frames-per-second needs --gpu.');
  }
  if (written !== undefined) return line.number('--gpu-frames-per-second', written, 0.1, 1e6);
  throw line.wrong(
    '--gpu needs --gpu-frames-per-second: no GPU was measured here, and none is assumed.',
  );
}

function headsOf(text: string): readonly Task[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !TASKS.some((task) => task === name));
  if (unknown !== undefined) {
    throw line.wrong(`--heads names "${unknown}", but heads are ${TASKS.join(', ')}.`);
  }
  return TASKS.filter((task) => names.includes(task));
}
