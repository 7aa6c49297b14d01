import { expect, it } from 'vitest';
import type { Health } from '#consumers/webhooks/health.ts';
import { type HookReport, HookTelemetry } from '#consumers/webhooks/telemetry.ts';
import { gather } from '#runtime/metrics/family.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const WELL: Health = {
  ...{ delivered: 7, failures: 0, failingSinceMs: undefined, lastFailure: undefined },
  ...{ parkedMs: undefined, refused: 0, tooLarge: 0, deleted: 0 },
};

it('tells how a hook is, and nothing of it while Redis does not', () => {
  const clock = new ManualClock();
  const nowMs = clock.nowUs() / 1000;
  let report: HookReport | undefined;
  const telemetry = new HookTelemetry('shop', () => report, clock);
  const told = () =>
    Object.fromEntries(
      gather([telemetry]).flatMap((family) => {
        if (family.type !== 'gauge') return [];
        return family.samples.map(({ labels, value }) => {
          expect(labels.hook).toBe('shop');
          const { state } = labels;
          const name = family.name.replace('halfsight_webhooks_', '');
          return [state === undefined ? name : `${name} ${state}`, value];
        });
      }),
    );
  expect(told()).toEqual({ queue_max: 256 });

  report = { health: WELL, waiting: 3 };
  const states = { 'hook_state active': 1, 'hook_state failing': 0, 'hook_state parked': 0 };
  expect(told()).toEqual({ queue_max: 256, queue_length: 3, failing_seconds: 0, ...states });

  report = { health: { ...WELL, failures: 6, failingSinceMs: nowMs - 90_000 }, waiting: 3 };
  expect(told()).toMatchObject({ failing_seconds: 90, 'hook_state failing': 1 });
  report = { ...report, health: { ...report.health, parkedMs: nowMs } };
  expect(told()).toMatchObject({ 'hook_state failing': 0, 'hook_state parked': 1 });
});

it('has the zero before the first drop, so that an increase can be seen', () => {
  const telemetry = new HookTelemetry('shop', () => undefined, new ManualClock());
  const dropped = () => {
    const family = gather([telemetry]).find(({ name }) => name.endsWith('_dropped_total'));
    return family?.type === 'counter' ? family.samples : [];
  };
  expect(dropped().map(({ value }) => value)).toEqual([0, 0, 0, 0, 0, 0]);
  telemetry.count('dropped-refused');
  expect(dropped()).toContainEqual({ labels: { hook: 'shop', reason: 'refused' }, value: 1 });
});
