import { describe, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';

const frame = (epoch: number, sequence: number) => ({ cameraId: 'gate', epoch, sequence });

describe('CameraBook', () => {
  it('closes an epoch when the next one begins, and tells it once its frames are settled', () => {
    const book = new CameraBook('gate');
    const first = book.captured(frame(1000, 0), 1);
    const second = book.captured(frame(2000, 0), 2);
    expect(second).not.toBe(first);
    expect(book.takeFinal()).toEqual([]);
    first.publish(0);
    expect(book.takeFinal()).toEqual([first]);
    expect(book.takeFinal()).toEqual([]);
    expect(book.latest).toBe(second);
  });

  it('counts over all epochs, told or not', () => {
    const book = new CameraBook('gate');
    book.captured(frame(1000, 0), 1).publish(0);
    book.captured(frame(1000, 1), 2).drop(1, 'encoder-busy');
    book.endEpoch();
    expect(book.takeFinal()).toHaveLength(1);
    const second = book.captured(frame(2000, 0), 3);
    second.drop(0, 'encoder-busy');
    book.captured(frame(2000, 1), 4);
    const dropped = { 'encoder-busy': 2 };
    expect(book.totals()).toEqual({ captured: 4, published: 1, dropped, inFlight: 1 });
  });

  it('tells of a change once', () => {
    const book = new CameraBook('gate');
    expect(book.takeChanged()).toBe(true);
    expect(book.takeChanged()).toBe(false);
    const account = book.captured(frame(1000, 0), 1);
    expect(book.takeChanged()).toBe(true);
    account.publish(0);
    expect(book.takeChanged()).toBe(true);
    book.stateChanged({ state: 'offline', detail: 'unplugged', reconnects: 1 });
    expect(book.takeChanged()).toBe(true);
    expect(book.takeChanged()).toBe(false);
  });
});
