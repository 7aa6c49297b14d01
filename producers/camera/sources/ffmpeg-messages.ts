import { HalfsightError } from '#runtime/errors.ts';

/** The picture that a frame was made from, as ffmpeg's `showinfo` filter reports it. */
export interface StreamSize {
  readonly width: number;
  readonly height: number;
  /** Width of a pixel over its height. */
  readonly pixelAspect: number;
}

export type FfmpegMessage =
  | { readonly kind: 'size'; readonly size: StreamSize }
  | { readonly kind: 'complaint'; readonly text: string }
  | { readonly kind: 'chatter' };

/** Reads one line of ffmpeg's log, written with `-loglevel repeat+level+info`. */
export function parseFfmpegLine(line: string): FfmpegMessage {
  if (line.includes('showinfo')) return parseShowinfo(line);
  const isComplaint = /\[(?:warning|error|fatal|panic)\]/.test(line);
  if (!isComplaint) return { kind: 'chatter' };
  const text = line.replace(/^(?:\[[^\]]*\] ?)+/, '').trim();
  return text === '' ? { kind: 'chatter' } : { kind: 'complaint', text };
}

function parseShowinfo(line: string): FfmpegMessage {
  const size = /\bn: *\d+ .*\bs:(\d+)x(\d+)\b/.exec(line);
  const width = Number(size?.[1]);
  const height = Number(size?.[2]);
  if (!(width > 0 && height > 0)) return { kind: 'chatter' };
  const aspect = /\bsar:(\d+)\/(\d+)\b/.exec(line);
  const ratio = Number(aspect?.[1]) / Number(aspect?.[2]);
  // 0/1 stands for unknown, which everybody takes for square.
  const pixelAspect = ratio > 0 && Number.isFinite(ratio) ? ratio : 1;
  return { kind: 'size', size: { width, height, pixelAspect } };
}

interface Cause {
  readonly pattern: RegExp;
  readonly advice: string;
}

/** What nobody but a person can put right: trying again helps only if the camera is changed. */
const INVALID: readonly Cause[] = [
  {
    pattern: /\b401\b|Unauthorized|authorization failed/i,
    advice: 'Check the user and the password in the URL.',
  },
  { pattern: /\b403\b|Forbidden/i, advice: 'Check the rights of the user at the camera.' },
  {
    pattern: /\b404\b|Not Found|No such file or directory/i,
    advice: 'Check the path: there is nothing under this name.',
  },
  { pattern: /Permission denied/i, advice: 'Check who may read the file.' },
  {
    pattern: /Protocol not found|Unable to find a suitable|Option .* not found/i,
    advice: 'This ffmpeg cannot read such an address: check it, or install a fuller ffmpeg.',
  },
  {
    pattern: /Unrecognized option|No such filter/i,
    advice: 'Install ffmpeg 5.1 or later.',
  },
  {
    pattern: /matches no streams|does not contain any stream/i,
    advice: 'There is no video in it.',
  },
  {
    pattern: /Invalid data found when processing input|moov atom not found|Is a directory/i,
    advice: 'It is no video that ffmpeg can read.',
  },
];

/** How a failed ffmpeg is told; `complaints` are redacted, the newest last. */
export function failureOf(
  description: string,
  status: string,
  complaints: readonly string[],
): HalfsightError {
  const said = complaints.length === 0 ? status : complaints.join('; ');
  const message = `ffmpeg could not read ${description}: ${said}.`;
  const text = complaints.join('\n');
  const cause = INVALID.find(({ pattern }) => pattern.test(text));
  if (cause === undefined) return new HalfsightError('source-failed', message);
  return new HalfsightError('source-invalid', message, { advice: cause.advice });
}
