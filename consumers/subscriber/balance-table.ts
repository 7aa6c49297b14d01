import type { BalanceReport } from './balance.ts';
import { type EpochBalance, totalOf } from './epoch-ledger.ts';
import { type Column, textTable } from './text-table.ts';

/**
 * The balance for a person: one row per camera and epoch, the problems below, then the verdict.
 *
 *     captured = results (of each head) + dropped + dead letters
 */
export function renderBalance(report: BalanceReport): string {
  if (report.epochs.length === 0) return 'No frame was captured.\n';
  const columns: Column[] = [
    { title: 'camera' },
    { title: 'epoch (UTC)' },
    { title: 'captured', align: 'right' },
    ...report.heads.map((title): Column => ({ title, align: 'right' })),
    { title: 'dropped', align: 'right' },
    { title: 'dead letters', align: 'right' },
    { title: 'lost', align: 'right' },
    { title: 'duplicated', align: 'right' },
    { title: 'out of order', align: 'right' },
    { title: '' },
  ];
  const lines = textTable(columns, [
    ...report.epochs.map(epochRow),
    ...(report.epochs.length > 1 ? [sumRow(report)] : []),
  ]);
  return `${[...lines, ...notes(report), verdict(report)].join('\n')}\n`;
}

/** Of all heads together. */
export function lostOf(epoch: EpochBalance): number {
  return sum(epoch.heads.map(({ missing }) => missing));
}

export function duplicatedOf(epoch: EpochBalance): number {
  return sum(epoch.heads.map(({ duplicated }) => duplicated));
}

function outOfOrderOf(epoch: EpochBalance): number {
  return sum(epoch.heads.map(({ outOfOrder }) => outOfOrder));
}

function epochRow(epoch: EpochBalance): string[] {
  const started = new Date(epoch.epoch).toISOString().slice(0, 19).replace('T', ' ');
  return [epoch.cameraId, started, ...figures([epoch]), judgement(epoch)];
}

function sumRow(report: BalanceReport): string[] {
  return ['all', '', ...figures(report.epochs), ''];
}

function figures(epochs: readonly EpochBalance[]): string[] {
  const results = (epochs[0]?.heads ?? []).map((_, index) =>
    sum(epochs.map(({ heads }) => heads[index]?.results ?? 0)),
  );
  const columns = [
    sum(epochs.map(({ captured }) => captured)),
    ...results,
    sum(epochs.map(({ dropped }) => totalOf(dropped))),
    sum(epochs.map(({ deadLettered }) => deadLettered)),
    sum(epochs.map(lostOf)),
    sum(epochs.map(duplicatedOf)),
    sum(epochs.map(outOfOrderOf)),
  ];
  return columns.map(String);
}

function judgement({ verdict, state }: EpochBalance): string {
  if (verdict === 'unbalanced') return 'DOES NOT ADD UP';
  if (state === 'trimmed') return 'older records deleted';
  return verdict === 'open' ? 'open' : 'adds up';
}

function notes(report: BalanceReport): string[] {
  const republished = sum(report.epochs.map((epoch) => epoch.republished));
  const redriven = sum(report.epochs.map((epoch) => epoch.redriven));
  const { records, deadLettered } = report.unnamed;
  return [
    ...dropNotes(report.epochs),
    ...(republished > 0 ? [`${republished} frames were published twice and answered once`] : []),
    ...emptyNotes(report),
    ...(redriven > 0 ? [`${redriven} frames were redriven from the dead letters`] : []),
    ...(records > 0 || deadLettered > 0
      ? [`${records} records without a frame id, ${deadLettered} of them dead letters`]
      : []),
    ...report.epochs.flatMap(({ cameraId, epoch, problems }) =>
      problems.map((problem) => `${cameraId}, epoch ${epoch}: ${problem}`),
    ),
    ...(report.undecodable > 0 ? [`${report.undecodable} records could not be decoded`] : []),
  ];
}

/** Results that say why there are no findings; their frames can still be analysed. */
function emptyNotes({ epochs, heads }: BalanceReport): string[] {
  return heads.flatMap((task, index) => {
    const shed = sum(epochs.map((epoch) => epoch.heads[index]?.shed ?? 0));
    const unwanted = sum(epochs.map((epoch) => epoch.heads[index]?.unwanted ?? 0));
    return [
      ...(shed > 0 ? [`${task}: ${shed} of the results are shed, under overload`] : []),
      ...(unwanted > 0
        ? [`${task}: ${unwanted} of the results are unwanted, by their cameras' heads`]
        : []),
    ];
  });
}

/** Drops by reason; for each epoch as well, where the table does not tell. */
function dropNotes(epochs: readonly EpochBalance[]): string[] {
  const all: Record<string, number> = {};
  for (const { dropped } of epochs) {
    for (const [reason, count] of Object.entries(dropped)) {
      all[reason] = (all[reason] ?? 0) + count;
    }
  }
  const text = (dropped: Readonly<Record<string, number>>) =>
    Object.entries(dropped)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', ');
  if (totalOf(all) === 0) return [];
  const isTold =
    epochs.length === 1 || Object.values(all).filter((count) => count > 0).length === 1;
  const each = isTold ? [] : epochs.filter(({ dropped }) => totalOf(dropped) > 0);
  return [
    `dropped: ${text(all)}`,
    ...each.map(
      ({ cameraId, epoch, dropped }) => `${cameraId}, epoch ${epoch}: dropped ${text(dropped)}`,
    ),
  ];
}

function verdict(report: BalanceReport): string {
  const heads = report.heads.join(', ');
  const lost = sum(report.epochs.map(lostOf));
  const duplicated = sum(report.epochs.map(duplicatedOf));
  const found = `${lost} lost, ${duplicated} duplicated`;
  if (!report.balanced) return `The balance does NOT add up for ${heads}: ${found}.`;
  const isOpen = report.epochs.some((epoch) => epoch.verdict === 'open');
  const open = isOpen ? ` (open epochs: as far as known, ${report.waiting} under way)` : '';
  return `captured = results + dropped + dead letters for ${heads}: ${found}${open}.`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
