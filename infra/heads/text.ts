import { type Column, textTable } from '#consumers/subscriber/text-table.ts';
import { figuresOf, type HeadShadow } from '#schemas/head-shadow.ts';
import type { Task } from '#schemas/result.ts';
import type { StoredHead } from './folder.ts';

export interface ListedHead extends StoredHead {
  readonly state: 'live' | 'shadow' | 'idle';
  /** It is part of the bundle. */
  readonly isOwn: boolean;
}

/** What all consumers together say of two heads. */
export interface ShadowSum
  extends Pick<
    HeadShadow,
    'task' | 'liveVersion' | 'shadowVersion' | 'frames' | 'leftOut' | 'failed' | 'sums'
  > {
  readonly consumers: number;
  readonly figures: Readonly<Record<string, number>>;
}

const COLUMNS: readonly Column[] = [
  { title: 'TASK' },
  { title: 'VERSION' },
  { title: 'STATE' },
  { title: 'KB', align: 'right' },
  { title: 'DIGEST' },
  { title: 'PROBLEM' },
];

export function listText(heads: readonly ListedHead[]): string {
  const rows = heads.map(({ task, version, state, bytes, digest, problem, isOwn }) => [
    ...[task, version, state],
    bytes === undefined ? '-' : (bytes / 1024).toFixed(1),
    isOwn ? "the bundle's own" : (digest?.slice(0, 12) ?? '-'),
    problem ?? '',
  ]);
  return `${textTable(COLUMNS, rows).join('\n')}\n`;
}

/** Pairs of heads of a task, the one that was told of last first. */
export function sumShadows(task: Task, records: readonly HeadShadow[]): readonly ShadowSum[] {
  const pairs = new Map<string, HeadShadow[]>();
  for (const record of [...records].sort((a, b) => b.timeUs - a.timeUs)) {
    if (record.task !== task) continue;
    const { liveVersion, liveDigest, shadowVersion, shadowDigest, bundleDigest } = record;
    const key = [liveVersion, liveDigest, shadowVersion, shadowDigest, bundleDigest].join(' ');
    pairs.set(key, [...(pairs.get(key) ?? []), record]);
  }
  return [...pairs.values()].map((pair) => sumOf(task, pair));
}

function sumOf(task: Task, pair: readonly HeadShadow[]): ShadowSum {
  const total = (read: (one: HeadShadow) => number) =>
    pair.reduce((sum, one) => sum + read(one), 0);
  const names = new Set(pair.flatMap(({ sums }) => Object.keys(sums)));
  const sums = Object.fromEntries(
    [...names].map((name) => [name, total((one) => one.sums[name] ?? 0)]),
  );
  const frames = total((one) => one.frames);
  return {
    task,
    liveVersion: pair[0]?.liveVersion ?? '',
    shadowVersion: pair[0]?.shadowVersion ?? '',
    frames,
    leftOut: total(({ leftOut }) => leftOut),
    failed: total(({ failed }) => failed),
    sums,
    consumers: pair.length,
    figures: figuresOf({ task, frames, sums }),
  };
}

export function reportText(task: Task, sums: readonly ShadowSum[]): string {
  if (sums.length === 0) return `no head has run in shadow for ${task}.\n`;
  const names = [...new Set(sums.flatMap(({ figures }) => Object.keys(figures)))];
  const columns: readonly Column[] = [
    { title: 'LIVE' },
    { title: 'SHADOW' },
    ...[
      'FRAMES',
      'LEFT OUT',
      'FAILED',
      'CONSUMERS',
      ...names.map((name) => name.toUpperCase()),
    ].map((title): Column => ({ title, align: 'right' })),
  ];
  const rows = sums.map((sum) => [
    ...[sum.liveVersion, sum.shadowVersion],
    ...[sum.frames, sum.leftOut, sum.failed, sum.consumers].map(String),
    ...names.map((name) => sum.figures[name]?.toFixed(3) ?? '-'),
  ]);
  return `${textTable(columns, rows).join('\n')}\n`;
}
