import type { ExportFormat, FrameFormat } from './format.ts';
import { NV_FRAME } from './formats/nv-frame.ts';
import { ONVIF } from './formats/onvif.ts';

/** Every format that has a JSON object for each frame. */
export const FRAME_FORMATS: readonly FrameFormat[] = [ONVIF, NV_FRAME];

/** The file of such a format: a line a frame. */
export function asLines({ frameOf, ...format }: FrameFormat): ExportFormat {
  return {
    ...format,
    summary: `${format.summary}, a line a frame`,
    open: async (file) => ({
      write: (result) => file.write(`${JSON.stringify(frameOf(result))}\n`),
      finish: async () => undefined,
    }),
  };
}
