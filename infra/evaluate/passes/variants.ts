import { TASKS, type Task } from '#schemas/result.ts';
import { OWN_TRANSFORM, type Transform } from './views.ts';

/** One frame that is sent, and the heads that are run on it. */
export interface Run {
  readonly transform: Transform;
  readonly tasks: readonly Task[];
}

export type Way = 'one pass' | 'three runs, one letterbox' | 'three runs, own transforms';
/** Whether the consumer is told where in the input the picture lies. */
export type Padding = 'masked' | 'unmasked';

/** One way to get results of all three tasks from a picture. */
export interface Variant {
  readonly way: Way;
  readonly padding: Padding;
  readonly runs: readonly Run[];
}

const RUNS: Readonly<Record<Way, readonly Run[]>> = {
  'one pass': [{ transform: 'letterbox', tasks: TASKS }],
  'three runs, one letterbox': TASKS.map((task) => ({ transform: 'letterbox', tasks: [task] })),
  'three runs, own transforms': TASKS.map((task) => ({
    transform: OWN_TRANSFORM[task],
    tasks: [task],
  })),
};

export const VARIANTS: readonly Variant[] = (Object.keys(RUNS) as Way[]).flatMap((way) =>
  (['masked', 'unmasked'] as const).map((padding) => ({ way, padding, runs: RUNS[way] })),
);

/** The sets of heads that engines have to be opened with. */
export const HEAD_SETS: readonly (readonly Task[])[] = [TASKS, ...TASKS.map((task) => [task])];
