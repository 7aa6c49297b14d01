import type { OverloadSettings } from '#consumers/inference/overload.ts';
import type { Random } from '#runtime/random.ts';
import { TASKS, type Task } from '#schemas/result.ts';

/** What can go wrong in a moment. What goes wrong in shares of a thousand is in the troubles. */
export const FAULTS = [
  'agent-crash',
  'agent-stop',
  'agent-freeze',
  'inference-crash',
  'inference-stop',
  'inference-freeze',
  'subscriber-crash',
  'subscriber-stop',
  'rebalance',
  'broker-away',
  'network-trouble',
  'clock-jump',
  'stray-records',
  'repeated-frames',
] as const;

export type Fault = (typeof FAULTS)[number];

/** Everything about a run that its seed decides beforehand. */
export interface Plan {
  readonly partitionCount: number;
  readonly agentCount: number;
  readonly camerasPerAgent: number;
  readonly framesPerSecond: number;
  /** The heads that each camera of an agent wants; null: all. */
  readonly wishes: readonly (readonly Task[] | null)[];
  /** Whether agents keep on disk what the broker cannot take. */
  readonly hasSpool: boolean;
  readonly inferenceCount: number;
  readonly subscriberCount: number;
  readonly batchFramesMax: number;
  readonly commitIntervalMs: number;
  readonly overload: OverloadSettings;
  readonly faultPhaseMs: number;
  /** Mean time between two faults. */
  readonly faultIntervalMs: number;
  /** Only some kinds in each run: what is left out makes room for more of the others. */
  readonly faults: readonly Fault[];
  readonly networkPermille: number;
  readonly poisonPermille: number;
  readonly enginePermille: number;
  readonly encoderPermille: number;
  readonly handlerPermille: number;
}

/** Each draw has a stream of its own, so that a new one does not change what the others say. */
export function drawPlan(random: Random): Plan {
  const integer = (name: string, bound: number) => random.fork(name).integer(bound);
  const between = (name: string, least: number, most: number) =>
    least + integer(name, most - least + 1);
  const chance = (name: string, oneIn: number) => integer(`whether ${name}`, oneIn) === 0;
  const maybe = (name: string, most: number) => (chance(name, 2) ? 0 : integer(name, most + 1));
  return {
    partitionCount: between('partitions', 1, 4),
    agentCount: between('agents', 1, 2),
    camerasPerAgent: between('cameras', 1, 3),
    framesPerSecond: between('frames', 1, 5),
    wishes: [0, 1, 2].map((camera) => {
      const wish = TASKS.filter((task) => chance(`${task} for camera ${camera}`, 2));
      return wish.length === 0 ? null : wish;
    }),
    hasSpool: chance('spool', 4),
    inferenceCount: between('inferences', 1, 3),
    subscriberCount: between('subscribers', 1, 2),
    batchFramesMax: between('batch', 1, 8),
    commitIntervalMs: between('commit', 0, 200),
    overload: {
      shedHeads: TASKS.filter((task) => chance(`shed ${task}`, 4)),
      shedAfterMs: between('shed', 500, 10_000),
      skipAfterMs: chance('skip', 4) ? between('skip', 2_000, 30_000) : undefined,
    },
    faultPhaseMs: between('fault phase', 10_000, 60_000),
    faultIntervalMs: between('fault interval', 300, 6_000),
    faults: FAULTS.filter((fault) => chance(fault, 2)),
    networkPermille: maybe('network', 60),
    poisonPermille: maybe('poison', 60),
    enginePermille: maybe('engine', 40),
    encoderPermille: maybe('encoder', 40),
    handlerPermille: maybe('handler', 20),
  };
}
