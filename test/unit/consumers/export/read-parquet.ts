import { parquetReadObjects } from 'hyparquet';

/** All rows of a Parquet file, read by another program than wrote it. */
export function readParquet(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const file = new Uint8Array(bytes).buffer;
  return parquetReadObjects({ file });
}
