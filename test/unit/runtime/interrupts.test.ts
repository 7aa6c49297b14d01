import { describe, expect, it } from 'vitest';
import { onInterrupts } from '#runtime/interrupts.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

describe('onInterrupts', () => {
  function watched() {
    const clock = new ManualClock();
    const listeners = new Map<string, () => void>();
    const calls: string[] = [];
    onInterrupts({ on: (signal, listener) => listeners.set(signal, listener) }, clock, {
      first: () => calls.push('first'),
      again: () => calls.push('again'),
    });
    return { clock, calls, press: () => listeners.get('SIGINT')?.() };
  }

  it('takes the echo of npm for what it is', async () => {
    const { clock, calls, press } = watched();
    press();
    await clock.advance(LIMITS.signalEchoMs / 2);
    press();
    expect(calls).toEqual(['first']);
  });

  it('tells the second Ctrl-C from the first', async () => {
    const { clock, calls, press } = watched();
    press();
    await clock.advance(LIMITS.signalEchoMs + 1);
    press();
    expect(calls).toEqual(['first', 'again']);
  });
});
