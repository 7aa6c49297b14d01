import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DROP_REASONS, EpochAccount } from '#producers/camera/accounts.ts';

const identity = { cameraId: 'gate', epoch: 1000 };

describe('EpochAccount', () => {
  it('keeps captured = published + dropped + in flight under any order of events', () => {
    const event = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ type: 'enter' as const }) },
      {
        weight: 2,
        arbitrary: fc.record({ type: fc.constant('publish' as const), pick: fc.nat() }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constant('drop' as const),
          pick: fc.nat(),
          reason: fc.constantFrom(...DROP_REASONS),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const account = new EpochAccount(identity);
        const model = { captured: 0, published: 0, dropped: new Map<string, number>() };
        const inFlight: number[] = [];
        for (const step of events) {
          if (step.type === 'enter') {
            account.enter(model.captured);
            inFlight.push(model.captured++);
          } else if (inFlight.length > 0) {
            const [sequence = -1] = inFlight.splice(step.pick % inFlight.length, 1);
            if (step.type === 'publish') {
              account.publish(sequence);
              model.published++;
            } else {
              account.drop(sequence, step.reason);
              model.dropped.set(step.reason, (model.dropped.get(step.reason) ?? 0) + 1);
            }
          }
          const dropped = Object.fromEntries(model.dropped);
          const { captured, published } = model;
          const expected = { captured, published, dropped, inFlight: inFlight.length };
          expect(account.counts()).toEqual(expected);
          const sum = Object.values(account.dropped).reduce((a, b) => a + b, 0);
          expect(captured).toBe(published + sum + inFlight.length);
        }
      }),
    );
  });

  it('crashes when a frame is settled twice', () => {
    const account = new EpochAccount(identity);
    account.enter(0);
    account.publish(0);
    expect(() => account.drop(0, 'shutdown')).toThrow(/gate-1000-0 was settled twice/);
  });

  it('crashes when a frame is settled that was never captured', () => {
    expect(() => new EpochAccount(identity).publish(7)).toThrow(/never captured/);
  });

  it('crashes on a gap in the sequence and on a frame after the end', () => {
    const account = new EpochAccount(identity);
    expect(() => account.enter(1)).toThrow(/out of turn/);
    account.close();
    expect(() => account.enter(0)).toThrow(/after its epoch had ended/);
  });

  it('is final only when it is closed and its last frame is settled', () => {
    const account = new EpochAccount(identity);
    account.enter(0);
    account.close();
    expect(account.isFinal).toBe(false);
    account.drop(0, 'encoder-busy');
    expect(account.isFinal).toBe(true);
  });
});
