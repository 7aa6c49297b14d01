import type { BalanceReport } from '#consumers/subscriber/balance.ts';
import { renderBalance } from '#consumers/subscriber/balance-table.ts';
import type { EpochBalance } from '#consumers/subscriber/epoch-ledger.ts';
import { ageText } from '#consumers/subscriber/result-text.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { LagReport } from './lag.ts';

/** What became of the frames of one camera, all its epochs together. */
export interface CameraReport {
  readonly camera: string;
  readonly epochs: number;
  readonly captured: number;
  /** Of each head. */
  readonly results: Readonly<Record<string, number>>;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly deadLettered: number;
  /** The worst of its epochs'. */
  readonly verdict: EpochBalance['verdict'];
  readonly problems: readonly string[];
}

export interface Report {
  /** ISO 8601, UTC. */
  readonly madeTime: string;
  readonly lag: LagReport;
  /** captured = results (of each head) + dropped + dead-lettered, for each camera. */
  readonly balanced: boolean;
  /** Frames of open epochs that are under way. */
  readonly waiting: number;
  readonly undecodable: number;
  readonly cameras: readonly CameraReport[];
  /** Cameras that add up, and are left out because all would be too large for one event. */
  readonly camerasLeftOut: number;
}

export function makeReport(balance: BalanceReport, lag: LagReport, nowUs: number): Report {
  const byCamera = Map.groupBy(balance.epochs, ({ cameraId }) => cameraId);
  return {
    madeTime: new Date(nowUs / 1000).toISOString(),
    lag,
    balanced: balance.balanced,
    waiting: balance.waiting,
    undecodable: balance.undecodable,
    cameras: [...byCamera].map(([camera, epochs]) => cameraReport(camera, epochs)),
    camerasLeftOut: 0,
  };
}

/** The report as the body of an event, without the cameras that add up if need be. */
export function eventBody(report: Report): string {
  const whole = JSON.stringify(report);
  if (Buffer.byteLength(whole) <= LIMITS.webhookBodyBytesMax) return whole;
  const cameras = report.cameras.filter(({ verdict }) => verdict === 'unbalanced');
  const camerasLeftOut = report.cameras.length - cameras.length;
  return JSON.stringify({ ...report, cameras, camerasLeftOut });
}

/** For a person. */
export function reportText(report: Report, balance: BalanceReport): string {
  return `${report.madeTime}\n${lagText(report.lag)}\n\n${renderBalance(balance)}`;
}

/** `group halfsight-inference: 310 frames unread, the oldest for more than 10 s`. */
export function lagText({ group, frames, partitions, waitsOverMs }: LagReport): string {
  if (frames === 0) return `group ${group}: nothing unread`;
  const oldest = waitsOverMs === null ? '' : `, the oldest for more than ${ageText(waitsOverMs)}`;
  return `group ${group}: ${frames} frames unread in ${partitions.length} partitions${oldest}`;
}

function cameraReport(camera: string, epochs: readonly EpochBalance[]): CameraReport {
  const heads = epochs.flatMap((epoch) => epoch.heads);
  const verdicts = new Set(epochs.map(({ verdict }) => verdict));
  const worst = (['unbalanced', 'open'] as const).find((verdict) => verdicts.has(verdict));
  return {
    camera,
    epochs: epochs.length,
    captured: epochs.reduce((sum, { captured }) => sum + captured, 0),
    results: total(heads.map(({ task, results }) => ({ [task]: results }))),
    dropped: total(epochs.map(({ dropped }) => dropped)),
    deadLettered: epochs.reduce((sum, { deadLettered }) => sum + deadLettered, 0),
    verdict: worst ?? 'balanced',
    problems: epochs.flatMap(({ epoch, problems }) =>
      problems.map((problem) => `epoch ${epoch}: ${problem}`),
    ),
  };
}

function total(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, count] of counts.flatMap((one) => Object.entries(one))) {
    sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
