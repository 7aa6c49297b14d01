import { describe, expect, it } from 'vitest';
import { systemClock, withTimeout } from '#runtime/clock.ts';

describe('systemClock', () => {
  it('never goes backwards and agrees with the wall clock', () => {
    let last = 0;
    for (let reading = 0; reading < 20_000; reading++) {
      const now = systemClock.nowUs();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(Math.abs(last / 1000 - Date.now())).toBeLessThan(1000);
  });

  it('wakes a sleeper when it is aborted', async () => {
    const controller = new AbortController();
    const asleep = systemClock.sleep(60_000, controller.signal);
    controller.abort();
    await asleep;
    await systemClock.sleep(60_000, controller.signal);
  });
});

describe('withTimeout', () => {
  it('passes the value on, or rejects with the given error', async () => {
    const late = () => new Error('late');
    await expect(withTimeout(systemClock, 1000, Promise.resolve(7), late)).resolves.toBe(7);
    const never = new Promise<never>(() => undefined);
    await expect(withTimeout(systemClock, 5, never, late)).rejects.toThrow('late');
  });
});
