import { type Column, cut, textTable } from '#consumers/subscriber/text-table.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import type { DeadLetterAction } from '#schemas/dead-letter-action.ts';
import { type Letter, type LetterState, letterName } from './letter-book.ts';

/** How letters look to a person, and to a program. */

/** Of the detail in a list; `show` and `--json` have all of it. */
const DETAIL_WIDTH = 80;
const DUMP_BYTES = 256;
const DUMP_BYTES_PER_LINE = 16;

const COLUMNS: readonly Column[] = [
  { title: 'letter' },
  { title: 'given up (UTC)' },
  { title: 'frame' },
  { title: 'reason' },
  { title: 'state' },
  { title: 'detail' },
];

export interface ListedLetter {
  readonly letter: Letter;
  readonly state: LetterState;
}

/** One line a letter. */
export function lettersTable(listed: readonly ListedLetter[]): string[] {
  if (listed.length === 0) return ['No dead letter matches.'];
  const rows = listed.map(({ letter, state }) => [
    letterName(letter),
    timeText(letter.failedTimeUs),
    letter.frameId ?? letter.cameraId ?? '-',
    letter.reason,
    letter.redrives === 0 ? state : `${state}, redrive ${letter.redrives} failed`,
    cut(oneLine(letter), DETAIL_WIDTH),
  ]);
  return textTable(COLUMNS, rows);
}

/** One line of NDJSON. */
export function letterJson({ letter, state }: ListedLetter): string {
  const { obstacle, ...said } = letter;
  return JSON.stringify({ letter: letterName(letter), state, ...said, canRedrive: !obstacle });
}

/** A letter with its original record, and what was done about it. */
export interface WholeLetter extends ListedLetter {
  readonly record: DeadLetter;
  readonly action: DeadLetterAction | undefined;
}

export function wholeLetterText({ letter, record, state, action }: WholeLetter): string {
  const { originTopic, originPartition, originOffset, originTimestampMs } = record;
  const bundle = `${record.bundleName} ${record.bundleVersion}`.trim();
  const lines: readonly (readonly [string, string])[] = [
    ['letter', letterName(letter)],
    ['state', action === undefined ? state : actionText(action)],
    ['redriven before', `${record.redrives} times`],
    ['reason', record.reason],
    ['detail', record.detail],
    ['frame', record.frameId ?? 'unknown'],
    ['camera', record.cameraId ?? 'unknown'],
    ['given up', `${timeText(record.failedTimeUs)} by ${record.consumer}`],
    ['bundle', `${bundle} ${record.bundleDigest}`.trim()],
    ['record', `${originTopic} ${originPartition}:${originOffset}`],
    ['written', timeText(originTimestampMs * 1000)],
    ['key', record.originKey === null ? 'none' : printable(record.originKey)],
    ...Object.entries(record.originHeaders).map(
      ([name, value]) => [`header ${name}`, printable(value)] as const,
    ),
    ['value', valueText(letter, record)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return [
    ...lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`),
    ...hexDump(record.originValue ?? new Uint8Array()),
    ...(record.stack === null ? [] : [record.stack]),
    '',
  ].join('\n');
}

export function wholeLetterJson({ letter, record, state, action }: WholeLetter): string {
  const base64 = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString('base64');
  const headers = Object.entries(record.originHeaders);
  return `${JSON.stringify({
    letter: letterName(letter),
    state,
    action: action ?? null,
    ...record,
    originKey: base64(record.originKey),
    originValue: base64(record.originValue),
    originHeaders: Object.fromEntries(headers.map(([name, value]) => [name, base64(value)])),
  })}\n`;
}

/** The first bytes, as hex and as text. */
export function hexDump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  const end = Math.min(bytes.length, DUMP_BYTES);
  for (let at = 0; at < end; at += DUMP_BYTES_PER_LINE) {
    const line = bytes.subarray(at, Math.min(end, at + DUMP_BYTES_PER_LINE));
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = [...line].map(visible).join('');
    const offset = at.toString(16).padStart(6, '0');
    lines.push(`  ${offset}  ${hex.padEnd(3 * DUMP_BYTES_PER_LINE)} ${text}`);
  }
  return bytes.length > end ? [...lines, `  ... ${bytes.length - end} bytes more`] : lines;
}

function visible(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
}

/** Bytes of a stranger must not move the cursor of a terminal. */
function printable(bytes: Uint8Array): string {
  return [...bytes].every((byte) => byte >= 0x20 && byte < 0x7f)
    ? Buffer.from(bytes).toString('latin1')
    : `0x${Buffer.from(bytes).toString('hex')}`;
}

function valueText({ obstacle }: Letter, { originValue, originBytes }: DeadLetter): string {
  const kept = originValue === null ? 'none' : `${originBytes} bytes`;
  return obstacle === undefined ? kept : `${kept}; it cannot be redriven: ${obstacle}`;
}

function actionText({ action, by, timeUs, note }: DeadLetterAction): string {
  return `${action} ${timeText(timeUs)} by ${by}${note === '' ? '' : `: ${note}`}`;
}

/** The reason stands in a column of its own. */
function oneLine({ reason, detail }: Letter): string {
  const prefix = `${reason}: `;
  const rest = detail.startsWith(prefix) ? detail.slice(prefix.length) : detail;
  return rest.replace(/\s+/g, ' ');
}

function timeText(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString().slice(0, 19).replace('T', ' ');
}
