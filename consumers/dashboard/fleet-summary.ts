import { TASKS, type Task } from '#schemas/result.ts';
import type { ConsumersJudge } from './consumers-judge.ts';
import { type Backlog, lagOf } from './lag-book.ts';
import type { FleetMessage } from './protocol.ts';
import type { RateWindow } from './rate-window.ts';
import { troublesOf } from './troubles.ts';
import type { WallState } from './wall-state.ts';

export interface FleetFacts {
  readonly state: WallState;
  readonly judge: ConsumersJudge;
  /** Of the last look at Kafka; undefined before the first. */
  readonly backlogs: readonly Backlog[] | undefined;
  /** Records that came on the frame topic. */
  readonly published: RateWindow;
  /** Why nothing can be read now, and since when. */
  readonly kafka: { readonly text: string; readonly sinceMs: number } | undefined;
}

/** Milliseconds since the Unix epoch; the rest is rounded, for it is told every second. */
export function summarise(facts: FleetFacts, nowMs: number): FleetMessage {
  const { state, judge, backlogs, published, kafka } = facts;
  const byState: Record<string, number> = {};
  let sendPictures = 0;
  for (const camera of state.cameras) {
    byState[camera.state] = (byState[camera.state] ?? 0) + 1;
    if (camera.sendsPictures) sendPictures++;
  }
  const consumers = judge.verdict;
  const troubles = troublesOf({
    ...{ consumers, kafka, nowMs },
    cameras: [...state.cameras],
    untold: state.untold,
    deadLetters: state.deadLetters.total(nowMs),
    unreadable: state.unreadable.total(nowMs),
  });
  return {
    type: 'fleet',
    nowUs: nowMs * 1000,
    cameras: { shown: state.shown, untold: state.untold, sendPictures, byState },
    framesPerSecond: rounded(published.perSecond(nowMs)),
    resultsPerSecond: resultsPerSecond(state.results, nowMs),
    kilobytesPerFrame: kilobytesPerFrame(state, nowMs),
    framesPerBatch: framesPerBatch(state, nowMs),
    ageMs: state.ages.percentiles(nowMs),
    lag: lagOf(backlogs),
    consumers,
    deadLetters: state.deadLetterCount,
    troubles,
  };
}

function resultsPerSecond(results: ReadonlyMap<Task, RateWindow>, nowMs: number) {
  const known = TASKS.flatMap((task) => {
    const rate = results.get(task);
    return rate === undefined ? [] : [[task, rounded(rate.perSecond(nowMs))] as const];
  });
  return Object.fromEntries(known) as FleetMessage['resultsPerSecond'];
}

function kilobytesPerFrame({ frames, frameBytes }: WallState, nowMs: number): number | null {
  const count = frames.total(nowMs);
  return count === 0 ? null : rounded(frameBytes.total(nowMs) / count / 1024);
}

function framesPerBatch({ batches }: WallState, nowMs: number): number | null {
  const mean = batches.mean(nowMs);
  return mean === null ? null : rounded(mean);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
