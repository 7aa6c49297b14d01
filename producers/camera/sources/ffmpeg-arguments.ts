import { LIMITS } from '#runtime/limits.ts';
import type { InputGeometry } from '../image.ts';
import { ffmpegLetterbox } from '../letterbox.ts';

export interface FfmpegPlan {
  readonly input: InputGeometry;
  readonly framesPerSecond: number;
  readonly ioTimeoutMs?: number;
}

/** A path, or a `file:` URL; anything else with a scheme comes over a network. */
export function isFileUrl(url: string): boolean {
  return !/^[a-z][a-z0-9+.-]+:/i.test(url) || /^file:/i.test(url);
}

/**
 * The command line. `showinfo` stands behind the frame-rate filter and tells, for each frame that
 * goes on, the size of the picture it was made from (turned upright by then, as phones need):
 * nothing else says so once the pipe carries bare pixels, and cameras change size while they run.
 */
export function ffmpegArguments(
  spec: { readonly url: string; readonly loop: boolean },
  plan: FfmpegPlan,
): string[] {
  const filters = [
    `fps=${plan.framesPerSecond}`,
    'showinfo=checksum=0',
    ffmpegLetterbox(plan.input),
  ];
  return [
    ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'repeat+level+info'],
    // One camera must not take all cores of the machine that watches two hundred.
    ...['-threads', '1', '-filter_threads', '1'],
    ...inputArguments(spec, plan),
    ...['-an', '-sn', '-dn', '-map', '0:v:0'],
    ...['-vf', filters.join(',')],
    ...['-fps_mode', 'passthrough', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
  ];
}

function inputArguments(
  { url, loop }: { readonly url: string; readonly loop: boolean },
  plan: FfmpegPlan,
): string[] {
  if (isFileUrl(url)) {
    const path = /^file:/i.test(url) ? url : `file:${url}`;
    return [...(loop ? ['-stream_loop', '-1'] : []), '-re', '-i', path];
  }
  const timeoutUs = String((plan.ioTimeoutMs ?? LIMITS.sourceIoTimeoutMs) * 1000);
  const isRtsp = /^rtsps?:/i.test(url);
  return [
    ...['-fflags', '+genpts+discardcorrupt', '-use_wallclock_as_timestamps', '1'],
    // RTSP over UDP loses packets and does not pass NAT; TCP is what cameras' users end up with.
    ...(isRtsp ? ['-rtsp_transport', 'tcp', '-timeout', timeoutUs] : []),
    ...['-i', url],
  ];
}
