import type { Image, Source, SourceKind } from '../image.ts';
import { letterbox } from '../letterbox.ts';
import { ffmpegArguments, isFileUrl } from './ffmpeg-arguments.ts';
import { FfmpegRun } from './ffmpeg-run.ts';
import { redactCredentials } from './redact.ts';
import type { SourceOptions, SourceSpec } from './spec.ts';

type FfmpegSpec = Extract<SourceSpec, { kind: 'ffmpeg' }>;

/** What only tests set. */
export interface FfmpegOptions extends SourceOptions {
  readonly program?: string;
  readonly ioTimeoutMs?: number;
  readonly noFrameTimeoutMs?: number;
}

/**
 * Whatever ffmpeg can read, through one ffmpeg per run: it connects, decodes, thins out to the
 * frame rate, scales and letterboxes, and writes plain RGB to a pipe. Files play in real time.
 */
export function createFfmpegSource(spec: FfmpegSpec, options: FfmpegOptions): Source {
  const isFile = isFileUrl(spec.url);
  const kind: SourceKind = isFile ? 'file' : 'rtsp';
  return {
    kind,
    description: redactCredentials(spec.url),
    isFinite: isFile && !spec.loop,
    open: (signal) => images(spec, isFile, options, signal),
  };
}

async function* images(
  spec: FfmpegSpec,
  isFile: boolean,
  options: FfmpegOptions,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  if (signal.aborted) return;
  const run = new FfmpegRun({
    ...options,
    url: spec.url,
    arguments: ffmpegArguments(spec, options),
    isEndExpected: isFile && !spec.loop,
  });
  const stop = () => run.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      const raw = await run.next();
      if (raw === undefined || signal.aborted) return;
      const { width, height, pixelAspect } = raw.size;
      const display = { width: width * pixelAspect, height };
      yield {
        pixels: raw.pixels,
        captureTimeUs: raw.arrivalTimeUs,
        timeSource: isFile ? 'file' : 'wall',
        sourceWidth: Math.max(1, Math.round(display.width)),
        sourceHeight: height,
        content: letterbox(display, options.input),
      };
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // The next run may only begin when this one has let go of the camera: many allow few sessions.
    await run.close();
  }
}
