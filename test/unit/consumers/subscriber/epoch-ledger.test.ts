import { describe, expect, it } from 'vitest';
import { type EpochBalance, EpochLedger } from '#consumers/subscriber/epoch-ledger.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { CAMERA_STATUS } from '#test/unit/schemas/samples.ts';

/** A ledger of frames that every head has answered. */
function answered(sequences: readonly number[], tasks: readonly Task[] = TASKS) {
  const ledger = new EpochLedger('gate', 1, tasks);
  for (const sequence of sequences) {
    ledger.frame(sequence, {});
    for (const task of tasks) ledger.result(task, sequence);
  }
  const balance = (isTrimmed = false): EpochBalance => ledger.balance(tasks, isTrimmed);
  const close = (captured: number, published = captured) => {
    const dropped = { busy: captured - published };
    ledger.status({ ...CAMERA_STATUS, captured, published, dropped, final: true });
  };
  return { ledger, balance, close };
}

describe('a frame that was redriven from the dead letters', () => {
  it('counts as what came of it, and is not out of order', () => {
    const { ledger, balance, close } = answered([0, 2]);
    ledger.frame(1, {});
    ledger.deadLetter(1);
    close(3);
    expect(balance()).toMatchObject({ verdict: 'balanced', deadLettered: 1, redriven: 0 });
    ledger.redrivenFrame(1, 1);
    expect(ledger.unanswered(TASKS)).toBe(1);
    expect(balance()).toMatchObject({ verdict: 'unbalanced', deadLettered: 0, redriven: 1 });
    ledger.deadLetter(1, 1);
    expect(balance()).toMatchObject({ verdict: 'balanced', deadLettered: 1, redriven: 1 });
    ledger.redrivenFrame(1, 2);
    for (const task of TASKS) ledger.result(task, 1, 2);
    expect(balance()).toMatchObject({ verdict: 'balanced', deadLettered: 0, redriven: 1 });
    expect(balance().heads.map(({ results }) => results)).toEqual([3, 3, 3]);
    expect(balance().republished).toBe(0);
    ledger.result('detection', 1, 2);
    expect(balance().problems).toEqual(['detection: 1 duplicated']);
  });

  it('is one too many if it had results before, or has them as a dead letter', () => {
    const { ledger, balance, close } = answered([0, 1], ['detection']);
    close(2);
    ledger.result('detection', 0, 1);
    expect(balance().problems).toEqual(['detection: 1 duplicated']);
    ledger.deadLetter(1);
    expect(balance().problems).toEqual(['detection: 2 duplicated']);
  });

  it('waits in an open epoch, however many later frames are answered', () => {
    const { ledger, balance } = answered([0, 2], ['detection']);
    ledger.frame(1, {});
    ledger.deadLetter(1);
    ledger.redrivenFrame(1, 1);
    expect(balance()).toMatchObject({ problems: [], heads: [{ waiting: 1, missing: 0 }] });
  });

  it('adds up when nobody could read two copies of it and one was answered at last', () => {
    const { ledger, balance, close } = answered([0]);
    for (let copy = 0; copy < 2; copy++) {
      ledger.frame(1, {});
      ledger.deadLetter(1);
    }
    close(2);
    expect(balance().problems).toEqual(['1 dead-lettered twice']);
    ledger.redrivenFrame(1, 1);
    ledger.redrivenFrame(1, 1);
    for (const task of TASKS) ledger.result(task, 1, 1);
    expect(balance()).toMatchObject({ verdict: 'balanced', deadLettered: 0 });
  });

  it('may be from long ago, and costs no memory of later frames', () => {
    const count = 40_000;
    const others = Array.from({ length: count - 1 }, (_, index) => 2 * index + 2);
    const ledger = new EpochLedger('gate', 1, ['detection']);
    ledger.frame(0, {});
    ledger.deadLetter(0);
    for (const sequence of others) {
      ledger.frame(sequence, {});
      ledger.result('detection', sequence);
    }
    // Without forgetting it is 160 000.
    expect(ledger.remembered).toBeLessThan(50_000);
    ledger.redrivenFrame(0, 1);
    expect(ledger.unanswered(['detection'])).toBe(1);
    ledger.result('detection', 0, 1);
    expect(ledger.unanswered(['detection'])).toBe(0);
    expect(ledger.balance(['detection'], false)).toMatchObject({ problems: [], deadLettered: 0 });
  });

  it('does not make records count that retention has deleted on one topic only', () => {
    const { ledger, balance, close } = answered([50, 51, 52], ['detection']);
    for (let sequence = 45; sequence < 50; sequence++) ledger.result('detection', sequence);
    ledger.deadLetter(3);
    ledger.redrivenFrame(3, 1);
    ledger.result('detection', 3, 1);
    close(60);
    // Results 45 to 49 come after 52 here, which is not what this is about.
    const { state, heads } = balance(true);
    expect(state).toBe('trimmed');
    expect(heads).toMatchObject([{ missing: 0, unexpected: 0, duplicated: 0 }]);
  });
});
