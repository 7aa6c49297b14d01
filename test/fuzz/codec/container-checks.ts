import { decodeBitstream, type LatentShape, parseContainer } from '#codec/bitstream.ts';
import { writeContainer } from '#codec/container-v2.ts';
import { type BitstreamHeader, type Chunk, symbolCount } from '#codec/header.ts';
import { openHyperprior } from '#codec/hyperprior.ts';
import type { Latent } from '#codec/latent.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { attempt, hexOf, insist, requireSameNumbers } from './judge.ts';
import { GOLDEN_HYPERPRIOR, type Specimen } from './specimens.ts';

/** What must hold for every bitstream that parses, whoever wrote it. */
export function checkContainer(bytes: Uint8Array): void {
  const container = attempt(() => parseContainer(bytes));
  if (container instanceof HalfsightError) return;
  const { header, chunks, sidePayload } = container;
  checkHeader(header);
  const channels = chunks.reduce((sum, { channelCount }) => sum + channelCount, 0);
  insist(channels === header.channels, () => `${channels} of ${header.channels} channels`);
  insist(chunks.length <= LIMITS.chunksPerBitstreamMax, () => `${chunks.length} chunks`);
  insist((sidePayload !== undefined) === (header.side !== undefined), () => 'half a side latent');
  const side = { channelCount: header.side?.channels ?? 0, payload: sidePayload };
  const all = side.payload === undefined ? chunks : [{ ...side, payload: side.payload }, ...chunks];
  checkPayloads(all, bytes);
  if (bytes[2] !== 2) return;
  // There is one bitstream for a container, and not two.
  const written = writeContainer(container);
  requireSameNumbers(written, bytes, () => `written again, ${hexOf(bytes)} is ${hexOf(written)}`);
}

function checkHeader(header: BitstreamHeader): void {
  checkShape(header);
  const { frameType, referenceSequence, side } = header;
  insist((frameType === 'inter') === (referenceSequence !== undefined), () => frameType);
  const isSafe = referenceSequence === undefined || Number.isSafeInteger(referenceSequence);
  insist(isSafe, () => `reference ${referenceSequence}`);
  if (side === undefined) return;
  checkShape(side);
  let before = -1;
  for (const { symbol, tableIndex } of side.corrections) {
    const isInOrder = symbol > before && symbol < symbolCount(header);
    insist(isInOrder, () => `a correction of symbol ${symbol} behind ${before}`);
    insist(tableIndex >= 0 && tableIndex <= 255, () => `a correction to table ${tableIndex}`);
    before = symbol;
  }
}

function checkShape({ channels, height, width }: LatentShape): void {
  const isAllowed =
    Math.min(channels, height, width) >= 1 &&
    channels <= LIMITS.latentChannelsMax &&
    Math.max(height, width) <= LIMITS.latentSideMax &&
    channels * height * width <= LIMITS.latentSymbolsMax;
  insist(isAllowed, () => `a latent of ${channels}x${height}x${width}`);
}

/** Whole words, one behind another, up to the last byte. */
function checkPayloads(chunks: readonly Chunk[], bytes: Uint8Array): void {
  let end = bytes.byteOffset + bytes.length;
  for (const { channelCount, payload } of chunks.toReversed()) {
    insist(channelCount >= 1, () => `a chunk of ${channelCount} channels`);
    const isWhole = payload.length >= 8 && payload.length % 4 === 0;
    insist(isWhole, () => `a payload of ${payload.length} bytes`);
    insist(payload.buffer === bytes.buffer, () => 'a payload that is no view of the bitstream');
    const itsEnd = payload.byteOffset + payload.length;
    insist(itsEnd === end, () => `a payload ends ${end - itsEnd} bytes too early`);
    end = payload.byteOffset;
  }
}

export function requireShape(latent: Latent, expected: LatentShape | undefined): void {
  checkShape(latent);
  const { channels, height, width, symbols } = latent;
  insist(symbols.length === symbolCount(latent), () => 'the latent is not of its shape');
  if (expected === undefined) return;
  const isExpected =
    channels === expected.channels && height === expected.height && width === expected.width;
  insist(isExpected, () => `${channels}x${height}x${width} is not what was expected`);
}

/** A reader of the other kind, whose tables seem to fit, refuses it. */
export function checkOtherReader(bytes: Uint8Array, specimen: Specimen): void {
  const container = attempt(() => parseContainer(bytes));
  if (container instanceof HalfsightError) return;
  const isHyperprior = container.header.side !== undefined;
  const tables = specimen.kind === 'hyperprior' ? specimen.tables.main : specimen.tables;
  const hyperprior = specimen.kind === 'hyperprior' ? specimen.tables : GOLDEN_HYPERPRIOR.tables;
  const outcome = isHyperprior
    ? attempt(() => decodeBitstream(bytes, () => ({ ...tables, count: container.header.channels })))
    : attempt(() => openHyperprior(bytes, () => hyperprior));
  insist(outcome instanceof HalfsightError, () => `read by the other reader, ${hexOf(bytes)}`);
}
