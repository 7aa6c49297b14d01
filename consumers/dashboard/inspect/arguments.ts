import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';
import { parseFrameId } from '#schemas/frame.ts';

export const INSPECT_USAGE = `\
Usage: npx halfsight inspect FRAME_ID [--at TIME] [--json]
       npx halfsight inspect --file RECORD [--json]

Finds a frame's record on the frame topic, which keeps frames for a day, and says what is in it and
where its bits went: by channel of the latent, and by place in the picture. FRAME_ID is
CAMERA-EPOCH-SEQUENCE, as results and npx halfsight follow have it. HALFSIGHT_BUNDLE names the
bundle whose tables decode it.

  --at TIME      when it was captured, 2026-11-28T20:00:00Z: quicker where there is much to look at
  --file RECORD  reads a record's value from a file, as npx halfsight dead-letters show --out
                 writes it
  --json         all of it as JSON, energy map included
  --help

Exit code 1: the frame is not there.
`;

export type InspectArguments =
  | { readonly frameId: string; readonly atUs: number | undefined; readonly json: boolean }
  | { readonly file: string; readonly json: boolean };

/** `folder`: which a relative RECORD is in. Throws `usage-invalid`. */
export function readInspectArguments(
  args: readonly string[],
  folder: string,
): InspectArguments | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const { file, at, json = false } = values;
  const [frameId, ...more] = positionals;
  if (file !== undefined) {
    if (frameId !== undefined) throw wrong(`--file names the record, so "${frameId}" cannot.`);
    if (at !== undefined) throw wrong('--at helps to find a frame, and --file names it.');
    return { file: resolve(folder, file), json };
  }
  if (frameId === undefined || more.length > 0) throw wrong('inspect takes the id of one frame.');
  if (parseFrameId(frameId) === undefined) {
    throw wrong(`"${frameId}" is no frame id: CAMERA-EPOCH-SEQUENCE.`);
  }
  return { frameId, atUs: at === undefined ? undefined : timeUs(at), json };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { at: text, file: text, json: flag, help: flag };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw wrong(`${(error as Error).message}.`);
  }
}

function timeUs(text: string): number {
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(timeMs)) return timeMs * 1000;
  throw wrong(`--at must be a time such as 2026-11-28T20:00:00Z, but is "${text}".`);
}

function wrong(message: string): HalfsightError {
  const advice = 'See npx halfsight inspect --help.';
  return new HalfsightError('usage-invalid', message, { advice });
}
