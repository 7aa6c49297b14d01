import { expect, test } from 'vitest';
import { redactCredentials, redactorFor } from '#producers/camera/sources/redact.ts';

test.each([
  ['rtsp://bob:hunter2@cam/1', 'rtsp://***@cam/1'],
  [
    'open rtsp://bob:hunter2@cam/1 and rtsps://eve:x@b/2',
    'open rtsp://***@cam/1 and rtsps://***@b/2',
  ],
  ['rtsp://bob:p@ss/w@cam/1', 'rtsp://***@cam/1'],
  [
    'http://cam/snap?user=bob&password=hunter2&size=3',
    'http://cam/snap?user=***&password=***&size=3',
  ],
  ['http://cam/x?access_token=abc', 'http://cam/x?access_token=***'],
  ['rtsp://cam/1', 'rtsp://cam/1'],
  ['/clips/a.mp4', '/clips/a.mp4'],
])('%s', (text, redacted) => {
  expect(redactCredentials(text)).toBe(redacted);
});

test('what a program says about a URL is redacted even without its scheme', () => {
  const redact = redactorFor('rtsp://bob:hunter%402@cam/1');
  expect(redact('method DESCRIBE failed for bob:hunter%402')).not.toContain('hunter');
  expect(redact('authentication with hunter@2 failed')).not.toContain('hunter');
});
