import { expect, test } from 'vitest';
import { ffmpegArguments, isFileUrl } from '#producers/camera/sources/ffmpeg-arguments.ts';
import { LIMITS } from '#runtime/limits.ts';

const PLAN = {
  input: { width: 416, height: 416, fill: [127, 127, 127] },
  framesPerSecond: 5,
} as const;

/** The arguments before and after "-i", since ffmpeg's options belong to what follows them. */
function split(url: string, loop = false): { before: string[]; input: string; after: string[] } {
  const all = ffmpegArguments({ url, loop }, PLAN);
  const at = all.indexOf('-i');
  return { before: all.slice(0, at), input: all[at + 1] ?? '', after: all.slice(at + 2) };
}

test('RTSP goes over TCP, with a time-out in microseconds and the clock of this host', () => {
  const { before, input } = split('rtsp://cam/1');
  const text = before.join(' ');
  expect(text).toContain('-rtsp_transport tcp');
  expect(text).toContain(`-timeout ${LIMITS.sourceIoTimeoutMs * 1000}`);
  expect(text).toContain('-use_wallclock_as_timestamps 1');
  expect(text).toContain('discardcorrupt');
  expect(text).not.toContain('-re');
  expect(input).toBe('rtsp://cam/1');
});

test('files play in real time, and again only when asked to', () => {
  expect(split('/clips/a.mp4').before).toContain('-re');
  expect(split('/clips/a.mp4').before).not.toContain('-stream_loop');
  expect(split('/clips/a.mp4', true).before.join(' ')).toContain('-stream_loop -1');
});

test.each(['-y', 'a:b.mp4', 'concat.mp4'])('a file called "%s" is no option', (name) => {
  expect(split(name).input).toMatch(/^file:/);
});

test('the size of a frame is told before it is scaled away', () => {
  const filters = split('/clips/a.mp4').after[split('/clips/a.mp4').after.indexOf('-vf') + 1] ?? '';
  expect(filters.indexOf('showinfo')).toBeGreaterThan(filters.indexOf('fps=5'));
  expect(filters.indexOf('showinfo')).toBeLessThan(filters.indexOf('scale='));
});

test.each([
  ['/clips/a.mp4', true],
  ['clip.mp4', true],
  ['file:///clips/a.mp4', true],
  ['C:/clips/a.mp4', true],
  ['rtsp://cam/1', false],
  ['http://cam/1', false],
])('%s: from a file? %s', (url, isFile) => {
  expect(isFileUrl(url)).toBe(isFile);
});
