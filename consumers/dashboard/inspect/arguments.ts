import { resolve } from 'node:path';
import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
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

const line = new CommandLine('See npx halfsight inspect --help.');

export type InspectArguments =
  | { readonly frameId: string; readonly atUs: number | undefined; readonly json: boolean }
  | { readonly file: string; readonly json: boolean };

/** `folder`: which a relative RECORD is in. Throws `usage-invalid`. */
export function readInspectArguments(
  args: readonly string[],
  folder: string,
): InspectArguments | 'help' {
  const options = { at: TEXT, file: TEXT, json: FLAG, help: FLAG };
  const { values, positionals } = line.read(args, options);
  if (values.help) return 'help';
  const { file, at, json = false } = values;
  if (file !== undefined) {
    const [word] = positionals;
    if (word !== undefined) throw line.wrong(`--file names the record, so "${word}" cannot.`);
    if (at !== undefined) throw line.wrong('--at helps to find a frame, and --file names it.');
    return { file: resolve(folder, file), json };
  }
  const frameId = line.oneWord('inspect', positionals, 'the id of one frame');
  if (parseFrameId(frameId) === undefined) {
    throw line.wrong(`"${frameId}" is no frame id: CAMERA-EPOCH-SEQUENCE.`);
  }
  const atMs = line.timeMs('--at', at);
  return { frameId, atUs: atMs === undefined ? undefined : atMs * 1000, json };
}
