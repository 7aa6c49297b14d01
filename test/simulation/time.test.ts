import { describe, expect, it } from 'vitest';
import { Host } from './host.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('virtual time', () => {
  it('fires in order of time, then of setting, each after all promises have settled', async () => {
    const clock = new VirtualClock();
    const events: string[] = [];
    const note = (text: string) => async () => {
      events.push(text);
      for (let step = 0; step < 20; step++) await undefined;
      events.push(`${text} settled`);
    };
    clock.after(5, note('second'));
    clock.after(5, note('third'));
    clock.after(1, note('first'));
    clock.after(2, note('never'))();
    await clock.run(5);
    expect(events).toEqual(
      ['first', 'second', 'third'].flatMap((text) => [text, `${text} settled`]),
    );
    expect(clock.monotonicMs()).toBe(5);
  });

  it('moves at every timer, however short the wait', async () => {
    const clock = new VirtualClock();
    let laps = 0;
    const lap = () => {
      laps++;
      clock.after(1e-12, lap);
    };
    lap();
    await clock.run(1);
    expect(laps).toBeGreaterThan(1_000);
    expect(laps).toBeLessThan(1_100);
  });

  it('ends a sleep that is aborted, and a drive when its work is done', async () => {
    const clock = new VirtualClock();
    const aborting = new AbortController();
    clock.after(3, () => aborting.abort());
    await clock.drive(clock.sleep(1_000, aborting.signal));
    expect(clock.monotonicMs()).toBe(3);
  });
});

describe('a process', () => {
  const setUp = () => {
    const clock = new VirtualClock();
    const machine = { wallOffsetMs: 0 };
    const host = new Host('host', clock, machine);
    const events: number[] = [];
    const note = () => void events.push(clock.monotonicMs());
    return { clock, machine, host, events, note };
  };

  it('that is frozen gets what came meanwhile when it is thawed, and each tick once', async () => {
    const { clock, host, events, note } = setUp();
    host.clock.after(5, note);
    host.clock.every(2, note);
    host.freeze();
    await clock.run(10);
    expect(events).toEqual([]);
    host.thaw();
    await clock.run(13);
    expect(events).toEqual([10, 10, 12]);
  });

  it('that is dead gets nothing, not even what was held back', async () => {
    const { clock, host, events, note } = setUp();
    host.clock.after(5, note);
    host.freeze();
    await clock.run(6);
    host.kill();
    host.thaw();
    host.clock.after(1, note);
    await clock.run(20);
    expect(events).toEqual([]);
  });

  it('sees no wall clock go back, but its successor does', async () => {
    const { clock, machine, host } = setUp();
    machine.wallOffsetMs = 10_000;
    const beforeUs = host.clock.nowUs();
    machine.wallOffsetMs = 0;
    await clock.run(5);
    expect(host.clock.nowUs()).toBe(beforeUs);
    expect(new Host('successor', clock, machine).clock.nowUs()).toBe(beforeUs - 9_995_000);
  });
});
