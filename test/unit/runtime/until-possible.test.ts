import { expect, test } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import { Prerequisite, untilPossible } from '#runtime/until-possible.ts';

const away = () => new HalfsightError('broker-unavailable', 'the broker is away.');

function options(controller = new AbortController()) {
  const troubles: string[] = [];
  const onTrouble = (trouble: string) => void troubles.push(trouble);
  const waiting = { event: 'waits', delayMs: 1, onTrouble, clock: systemClock };
  return { troubles, waits: { ...waiting, stopping: controller.signal, logger: silentLogger } };
}

test('attempts again what may pass, and tells why it waits', async () => {
  const { troubles, waits } = options();
  let attempts = 0;
  const attempt = async () => {
    if (++attempts < 3) throw away();
    return 'there';
  };
  expect(await untilPossible(attempt, waits)).toBe('there');
  expect(troubles).toHaveLength(2);
  expect(troubles[0]).toContain('the broker is away.');
});

test('what does not pass is thrown at once', async () => {
  const { troubles, waits } = options();
  const wrong = new HalfsightError('settings-invalid', 'no such topic.');
  await expect(untilPossible(() => Promise.reject(wrong), waits)).rejects.toBe(wrong);
  expect(troubles).toEqual([]);
});

test('whoever is asked to stop waits no longer', async () => {
  const controller = new AbortController();
  const { troubles, waits } = options(controller);
  const attempt = () => {
    controller.abort();
    return Promise.reject(away());
  };
  expect(await untilPossible(attempt, { ...waits, delayMs: 3_600_000 })).toBeUndefined();
  expect(troubles).toHaveLength(1);
});

test('a prerequisite says what is in its way, until it is there', async () => {
  const { waits } = options();
  const broker = new Prerequisite('not asked yet', waits);
  const states = [broker.state];
  const attempt = async () => {
    states.push(broker.state);
    if (states.length < 4) throw away();
    return 'there';
  };
  expect(await broker.attempt(attempt)).toBe('there');
  const why = 'broker-unavailable: the broker is away.';
  expect(states).toEqual(['not asked yet', 'not asked yet', why, why]);
  expect(broker.state).toBe('ok');
});

test('a prerequisite that is waited for no longer is not there', async () => {
  const controller = new AbortController();
  const broker = new Prerequisite('not asked yet', options(controller).waits);
  controller.abort();
  expect(await broker.attempt(async () => 'there')).toBeUndefined();
  expect(broker.state).toBe('not asked yet');
});
