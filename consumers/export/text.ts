import type { ExportProgress, ExportSummary } from './export.ts';

/** `1200 of 9000 results read (13 %), 310 exported`. */
export function progressText(progress: ExportProgress): string {
  const { recordsRead, recordsTotalEstimate, exported } = progress;
  const share = recordsTotalEstimate === 0 ? 1 : recordsRead / recordsTotalEstimate;
  const percent = Math.min(100, Math.floor(share * 100));
  const read = `${recordsRead} of ${recordsTotalEstimate} results read (${percent} %)`;
  return `${read}, ${exported} exported`;
}

/** What is left to know at the end. */
export function summaryText(summary: ExportSummary): string {
  const { file, bytes, exported, skipped, partitionsTrimmed } = summary;
  const reasons = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  return [
    `${file}: ${exported} results, ${(bytes / 1024).toFixed(1)} KB`,
    `skipped: ${reasons.join(', ') || 'none'}`,
    ...(partitionsTrimmed === 0
      ? []
      : [`Kafka has deleted older results of ${partitionsTrimmed} partitions`]),
  ].join('\n');
}
