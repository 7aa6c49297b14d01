import { crc32 } from 'node:zlib';
import {
  decodeBitstream,
  decodeOpened,
  decodePrefix,
  type LatentShape,
  openBitstream,
  parseContainer,
} from '#codec/bitstream.ts';
import type { CodedRun, EntropyCoder } from '#codec/coder.ts';
import { symbolCount } from '#codec/header.ts';
import { openHyperprior, scaleIndexes } from '#codec/hyperprior.ts';
import type { Latent } from '#codec/latent.ts';
import { shortHash } from '#codec/tables.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import type { Random } from '#runtime/random.ts';
import { repairChecksums, replaceIndexChecksum } from './checksums.ts';
import { checkContainer, checkOtherReader, requireShape } from './container-checks.ts';
import { damage } from './damage.ts';
import { between, chance, pick, weighted } from './draws.ts';
import { forge } from './forge.ts';
import {
  attempt,
  type Case,
  Disagreement,
  hexOf,
  insist,
  outcomeText,
  requireSameNumbers,
  requireSameOutcome,
} from './judge.ts';
import { drawSpecimen, type Factorised, type Hyperprior, type Specimen } from './specimens.ts';

/**
 * Whole bitstreams of all versions, damaged, with right checksums or without: what comes out is the
 * latent or one of the errors for bitstreams. Damage that no checksum was adapted to never passes,
 * and what gets behind the checksums is decoded as the reference decodes it.
 */
export function bitstreamCase({ random, sets, reference, tally }: Case): void {
  const specimen = drawSpecimen(random, sets);
  const other = drawSpecimen(random, sets);
  const kind = weighted(random, { whole: 1, cut: 1, damaged: 3, repaired: 4, forged: 4 });
  const isOnPurpose = kind === 'repaired' || kind === 'forged';
  const bytes = displaced(random, change(random, kind, specimen, other.bytes));
  const subject: Subject = { random, bytes, reference };
  const outcome =
    specimen.kind === 'hyperprior'
      ? readHyperprior(subject, specimen)
      : readFactorised(subject, specimen);
  tally.end(outcome instanceof HalfsightError ? outcome : undefined);
  const what = () => `a bitstream ${kind}, ${specimen.kind}, ${hexOf(bytes)}`;
  if (outcome instanceof HalfsightError) {
    const isOfBitstreams = outcome.code.startsWith('bitstream-');
    insist(isOfBitstreams, () => `${what()}: ${outcomeText(outcome)}`);
  }
  checkContainer(bytes);
  if (chance(random, 0.2)) checkOtherReader(bytes, specimen);
  if (isOnPurpose) return;
  if (kind === 'cut') {
    const isTruncated = codeOf(outcome) === 'bitstream-truncated';
    insist(isTruncated, () => `${what()}: not truncated`);
    if (specimen.kind === 'factorised' && !specimen.isInter) checkCut(bytes.length, specimen);
    return;
  }
  // A bitstream lost and replaced by another one is whole.
  const isOther = Buffer.compare(bytes, other.bytes) === 0;
  if (Buffer.compare(bytes, specimen.bytes) !== 0) {
    insist(isOther || outcome instanceof HalfsightError, () => `${what()} is accepted`);
    return;
  }
  if (specimen.kind === 'factorised' && specimen.isInter) {
    insist(outcome instanceof HalfsightError, () => `${what()}: an inter frame is accepted`);
    return;
  }
  if (outcome instanceof HalfsightError) {
    throw new Disagreement(`${what()}: ${outcomeText(outcome)}`);
  }
  requireSameNumbers(outcome.symbols, specimen.latent.symbols, what);
}

/** What is whole of a bitstream that was cut comes out; version 1 knows of no prefixes. */
function checkCut(length: number, { bytes, tables, latent }: Factorised): void {
  const prefix = attempt(() => decodePrefix(bytes.subarray(0, length), () => tables));
  const whole = parseContainer(bytes).chunks.filter(
    ({ payload }) => payload.byteOffset + payload.length - bytes.byteOffset <= length,
  );
  if (whole.length === 0 || bytes[2] === 1) {
    insist(codeOf(prefix) === 'bitstream-truncated', () => 'a prefix without a chunk');
    return;
  }
  if (prefix instanceof HalfsightError) {
    throw new Disagreement(`${whole.length} chunks cannot be read: ${outcomeText(prefix)}`);
  }
  const channels = whole.reduce((sum, { channelCount }) => sum + channelCount, 0);
  insist(prefix.channelsDecoded === channels, () => `a prefix of ${channels} channels is not read`);
  const count = channels * latent.height * latent.width;
  const own = prefix.latent.symbols.subarray(0, count);
  requireSameNumbers(own, latent.symbols.subarray(0, count), () => 'a prefix');
}

interface Subject {
  readonly random: Random;
  readonly bytes: Uint8Array;
  readonly reference: EntropyCoder;
}

type Kind = 'whole' | 'cut' | 'damaged' | 'repaired' | 'forged';

function change(random: Random, kind: Kind, specimen: Specimen, other: Uint8Array): Uint8Array {
  const { bytes } = specimen;
  if (kind === 'whole') return bytes;
  if (kind === 'cut') return bytes.subarray(0, random.integer(bytes.length));
  const changed = kind === 'forged' ? forge(random, bytes) : damageWhole(random, bytes, other);
  if (kind === 'damaged') return changed;
  const repaired = kind === 'repaired' ? repairChecksums(changed) : changed;
  if (specimen.kind === 'factorised') return repaired;
  return repairIndexChecksum(random, repaired, specimen);
}

/** Most of it in the first bytes, which say how to read the others. */
function damageWhole(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  if (chance(random, 0.4)) return damage(random, bytes, other);
  const changed = [...bytes];
  const headMax = pick(random, [8, 24, 40, 64]);
  for (let changes = between(random, 1, 3); changes > 0; changes--) {
    const at = random.integer(Math.min(headMax, changed.length));
    const before = changed[at] as number;
    const kind = weighted(random, { set: 12, insert: 1, remove: 1, lengthen: 2 });
    if (kind === 'insert') changed.splice(at, 0, random.integer(256));
    else if (kind === 'remove') changed.splice(at, 1);
    // The same number, if this is the end of one, in one byte more than it needs.
    else if (kind === 'lengthen') changed.splice(at, 1, before | 128, 0);
    else
      changed[at] = pick(random, [before + 1, before - 1, before ^ 128, before ^ 16, 0, 1, 2, 255]);
  }
  return Uint8Array.from(changed);
}

/** At any place of a larger buffer. */
function displaced(random: Random, bytes: Uint8Array): Uint8Array {
  const before = random.integer(4);
  const buffer = new Uint8Array(before + bytes.length + 3).fill(random.integer(256));
  buffer.set(bytes, before);
  return buffer.subarray(before, before + bytes.length);
}

function readFactorised(subject: Subject, specimen: Factorised): Latent | HalfsightError {
  const { random, bytes, reference } = subject;
  const { tables } = specimen;
  const isStrict = chance(random, 0.8);
  const lookup = (hash: string) =>
    isStrict && hash !== shortHash(tables.hash) ? undefined : tables;
  const expected = chance(random, 0.6) ? specimen.latent : undefined;
  const outcome = attempt(() => decodeBitstream(bytes, lookup, expected).latent);
  if (!(outcome instanceof HalfsightError)) requireShape(outcome, expected);
  const opened = attempt(() => openBitstream(bytes, lookup, expected));
  if (!(opened instanceof HalfsightError)) {
    requireShape(opened.latent, expected);
    const { channels } = opened.latent;
    insist(channels === tables.count, () => `${channels} channels for ${tables.count} tables`);
  }
  if (!(opened instanceof HalfsightError) && isAffordable(opened.latent)) {
    const beside = attempt(() => openBitstream(specimen.bytes, lookup, specimen.latent));
    const both = beside instanceof HalfsightError ? [opened] : [opened, beside];
    const outcomes = decodeOpened(both);
    const { error, symbols } = decodeSlowly(opened.runs, reference);
    const what = () => `its symbols, ${hexOf(bytes)}`;
    requireSameOutcome(outcomes[0], error, what);
    const direct = outcome instanceof HalfsightError ? outcome : undefined;
    requireSameOutcome(direct, error, what);
    if (error === undefined) requireSameNumbers(opened.latent.symbols, symbols, what);
    if (!(beside instanceof HalfsightError)) {
      requireSameOutcome(outcomes[1], undefined, () => 'the good one beside it');
      const good = specimen.latent.symbols;
      requireSameNumbers(beside.latent.symbols, good, () => 'the good one beside it');
    }
  }
  const prefix = attempt(() => decodePrefix(bytes, lookup, expected));
  if (prefix instanceof HalfsightError) {
    insist(outcome instanceof HalfsightError, () => `whole but no prefix: ${outcomeText(prefix)}`);
  } else {
    requireShape(prefix.latent, expected);
    checkPrefix(prefix, outcome);
  }
  return outcome;
}

type Prefix = ReturnType<typeof decodePrefix>;

function checkPrefix({ latent, channelsDecoded }: Prefix, whole: Latent | HalfsightError): void {
  const { channels, height, width, symbols } = latent;
  insist(channelsDecoded >= 1 && channelsDecoded <= channels, () => `${channelsDecoded} channels`);
  const rest = symbols.subarray(channelsDecoded * height * width);
  insist(!rest.some((symbol) => symbol !== 0), () => 'a missing channel is not 0');
  if (whole instanceof HalfsightError) return;
  insist(channelsDecoded === channels, () => 'a prefix of the whole is less than the whole');
  requireSameNumbers(symbols, whole.symbols, () => 'the prefix that is the whole');
}

/** The reference is slow, and a damaged header can ask for a lot. */
function isAffordable(latent: LatentShape): boolean {
  return symbolCount(latent) <= 5000;
}

/** The first error of all runs, as the codec reports it, or the symbols. */
function decodeSlowly(runs: readonly CodedRun[], reference: EntropyCoder) {
  const copies = runs.map((run) => ({ ...run, symbols: new Int32Array(run.symbols.length) }));
  const error = reference.decode(copies).find((outcome) => outcome !== undefined);
  const symbols = Int32Array.from(copies.flatMap((copy) => [...copy.symbols]));
  return { error, symbols };
}

function readHyperprior(subject: Subject, specimen: Hyperprior): Latent | HalfsightError {
  const { random, bytes, reference } = subject;
  const { tables } = specimen;
  const isStrict = chance(random, 0.8);
  const lookup = (hash: string) =>
    isStrict && hash !== shortHash(tables.hash) ? undefined : tables;
  const opened = attempt(() => openHyperprior(bytes, lookup));
  if (opened instanceof HalfsightError) return opened;
  const { header, side } = opened;
  requireShape(side, header.side);
  const sideChannels = side.channels;
  insist(sideChannels === tables.side.count, () => `${sideChannels} channels of a side latent`);
  const scales = scalesFor(specimen, header);
  if (scales === undefined) return side;
  const outcome = attempt(() => opened.decode(scales));
  const indexes = indexesFor(specimen, scales, header.side?.corrections ?? []);
  const isMismatch =
    outcome instanceof HalfsightError && outcome.code === 'bitstream-side-mismatch';
  const isSame = crc32(indexes) === header.side?.indexChecksum;
  insist(isSame !== isMismatch, () => `tables that are ${isSame ? '' : 'not '}the camera's`);
  if (outcome instanceof HalfsightError && isMismatch) return outcome;
  const { sidePayload = new Uint8Array(), chunks } = parseContainer(bytes);
  const sidePlanes = { kind: 'planes', first: 0, planeSize: side.height * side.width } as const;
  const sideRun = { ...side, tables: tables.side, choice: sidePlanes, payload: sidePayload };
  const slowSide = decodeSlowly([sideRun], reference);
  requireSameOutcome(slowSide.error, undefined, () => 'the side latent');
  requireSameNumbers(side.symbols, slowSide.symbols, () => 'the side latent');
  if (indexes.some((index) => index >= tables.main.count)) {
    insist(outcome instanceof HalfsightError, () => 'a table that does not exist is accepted');
    return outcome;
  }
  let next = 0;
  const runs = chunks.map(({ channelCount, payload }): CodedRun => {
    const own = indexes.subarray(next, next + channelCount * header.height * header.width);
    next += own.length;
    const choice = { kind: 'indexes', indexes: own } as const;
    return { symbols: new Int32Array(own.length), tables: tables.main, choice, payload };
  });
  const slow = decodeSlowly(runs, reference);
  const error = outcome instanceof HalfsightError ? outcome : undefined;
  requireSameOutcome(error, slow.error, () => `the main latent, ${hexOf(bytes)}`);
  if (!(outcome instanceof HalfsightError)) {
    requireSameNumbers(outcome.symbols, slow.symbols, () => 'the main latent');
    requireShape(outcome, header);
  }
  return outcome;
}

/** What the hyper decoder says: it has an answer for each shape. */
function scalesFor(specimen: Hyperprior, shape: LatentShape): Float32Array | undefined {
  const count = symbolCount(shape);
  if (count === specimen.scales.length) return specimen.scales;
  if (!isAffordable(shape)) return undefined;
  return Float32Array.from({ length: count }, (_, at) => specimen.scales[at] ?? 1);
}

function indexesFor(
  { tables }: Hyperprior,
  scales: Float32Array,
  corrections: readonly { symbol: number; tableIndex: number }[],
): Uint8Array {
  const indexes = scaleIndexes(scales, tables.scaleTable);
  for (const { symbol, tableIndex } of corrections) indexes[symbol] = tableIndex;
  return indexes;
}

/** So that damaged shapes and corrections get behind the checksum of the indexes, too. */
function repairIndexChecksum(random: Random, bytes: Uint8Array, specimen: Hyperprior): Uint8Array {
  if (chance(random, 0.3)) return bytes;
  const container = attempt(() => parseContainer(bytes));
  if (container instanceof HalfsightError) return bytes;
  const { header } = container;
  const scales = header.side && scalesFor(specimen, header);
  if (scales === undefined) return bytes;
  const indexes = indexesFor(specimen, scales, header.side?.corrections ?? []);
  return replaceIndexChecksum(bytes, indexes);
}
