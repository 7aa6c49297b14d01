import { expect, test } from 'vitest';
import { failureOf, parseFfmpegLine } from '#producers/camera/sources/ffmpeg-messages.ts';

test('showinfo tells the size of the picture and the shape of its pixels', () => {
  const line =
    '[Parsed_showinfo_1 @ 0x5581] [info] n:   3 pts:      3 pts_time:0.6     pos:   1234 ' +
    'fmt:yuv420p sar:64/45 s:720x576 i:P iskey:0 type:P ';
  expect(parseFfmpegLine(line)).toEqual({
    kind: 'size',
    size: { width: 720, height: 576, pixelAspect: 64 / 45 },
  });
});

test('an unknown aspect ratio is that of square pixels', () => {
  const line = '[Parsed_showinfo_1 @ 0x1] [info] n:   0 pts: 0 fmt:rgb24 sar:0/1 s:32x16 i:P';
  expect(parseFfmpegLine(line)).toMatchObject({ size: { pixelAspect: 1 } });
});

test.each([
  [
    '[rtsp @ 0x1] [error] method DESCRIBE failed: 404 Not Found',
    'method DESCRIBE failed: 404 Not Found',
  ],
  ['[fatal] Unrecognized option', 'Unrecognized option'],
])('%s is a complaint', (line, text) => {
  expect(parseFfmpegLine(line)).toEqual({ kind: 'complaint', text });
});

test.each([
  '[Parsed_showinfo_1 @ 0x1] [info] config in time_base: 1/5, frame_rate: 5/1',
  "[info] Input #0, mov, from 'file:/tmp/t.mp4':",
  '',
])('"%s" is neither', (line) => {
  expect(parseFfmpegLine(line)).toEqual({ kind: 'chatter' });
});

test.each([
  ['method DESCRIBE failed: 404 Not Found', 'source-invalid'],
  ['method DESCRIBE failed: 401 Unauthorized', 'source-invalid'],
  ['Invalid data found when processing input', 'source-invalid'],
  ['Connection refused', 'source-failed'],
  ['Connection timed out', 'source-failed'],
])('"%s" is %s', (complaint, code) => {
  const error = failureOf('rtsp://cam/1', 'it ended with status 1', [complaint]);
  expect(error.code).toBe(code);
  expect(error.message).toContain(complaint);
});
