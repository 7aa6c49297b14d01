import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readStartArguments } from '#infra/start/arguments.ts';

const folder = mkdtempSync(join(tmpdir(), 'halfsight-arguments-'));
writeFileSync(join(folder, 'clip.mp4'), 'x');

function read(text: string) {
  return readStartArguments(
    text.split(' ').filter((part) => part !== ''),
    folder,
  );
}

describe('arguments of npm start', () => {
  it('has defaults for everything', () => {
    expect(read('')).toEqual({
      sources: [],
      cameraCount: 4,
      framesPerSecond: 2,
      durationMs: undefined,
      bundleDirectory: undefined,
      consumerCount: 1,
      hasWall: true,
    });
  });

  it('reads all of them, files as absolute paths', () => {
    const args = '--source clip.mp4 --source rtsp://host/live --fps 0.5 --duration 30';
    expect(read(`${args} --bundle bundles/mine --consumers 2 --no-wall`)).toEqual({
      sources: [join(folder, 'clip.mp4'), 'rtsp://host/live'],
      cameraCount: 4,
      framesPerSecond: 0.5,
      durationMs: 30_000,
      bundleDirectory: join(folder, 'bundles/mine'),
      consumerCount: 2,
      hasWall: false,
    });
    expect(read('--cameras 2 --help')).toBe('help');
  });

  it.each([
    ['--source gone.mp4', 'there is no file'],
    ['--source .', 'is no file'],
    ['--source http://host/clip.mp4', 'must be a file or an rtsp:// address'],
    ['--source clip.mp4 --cameras 2', '--cameras is for synthetic cameras'],
    ['--cameras 0', '--cameras must be a number from 1 to 512'],
    ['--cameras 1.5', '--cameras must be a whole number'],
    ['--fps 61', '--fps must be a number from 0.1 to 60'],
    ['--duration soon', '--duration must be a number'],
    ['--verbose', "Unknown option '--verbose'"],
    ['clip.mp4', "Unexpected argument 'clip.mp4'"],
  ])('refuses "%s"', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'usage-invalid', message: expect.stringContaining(message) }),
    );
  });
});
