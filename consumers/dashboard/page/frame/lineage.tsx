import type { ResultOrigin } from '../../protocol.ts';
import { Table } from '../shell/table.tsx';
import { bytesText, durationText } from '../text.ts';

export interface LineageProps {
  readonly origins: readonly ResultOrigin[];
  readonly captureTimeUs: number | undefined;
}

const DIGEST_SHOWN = 12;

/** What made each result, so that it can be repeated. */
export function Lineage({ origins, captureTimeUs }: LineageProps) {
  return (
    <Table
      title="Lineage"
      columns={[
        { title: 'Task' },
        { title: 'Status' },
        { title: 'Encoded after', isNumber: true },
        { title: 'Inferred after', isNumber: true },
        { title: 'Bundle' },
        { title: 'Head' },
        { title: 'Rate point', isNumber: true },
        { title: 'Tables' },
        { title: 'Bitstream', isNumber: true },
        { title: 'Redrives', isNumber: true },
      ]}
      rows={origins.map(({ task, status, encodeTimeUs, inferTimeUs, redrives, lineage }) => {
        const after = (us: number) =>
          captureTimeUs === undefined ? '–' : durationText((us - captureTimeUs) / 1_000);
        return [
          task,
          status,
          after(encodeTimeUs),
          after(inferTimeUs),
          <span key="bundle" title={lineage.bundleDigest}>
            {lineage.bundleName} {lineage.bundleVersion} · {digestText(lineage.bundleDigest)}
          </span>,
          <span key="head" title={lineage.headDigest}>
            {lineage.headVersion}
            {lineage.headDigest !== '' && ` · ${digestText(lineage.headDigest)}`}
          </span>,
          `${lineage.ratePoint}`,
          lineage.tableHash,
          bytesText(lineage.bitstreamBytes),
          `${redrives}`,
        ];
      })}
    />
  );
}

function digestText(digest: string): string {
  return digest.slice(0, DIGEST_SHOWN);
}
