import { describe, expect, it } from 'vitest';
import { LetterBook, summaryOf } from '#consumers/dead-letters/letter-book.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import { record } from '#test/unit/consumers/inference/fakes.ts';
import { DEAD_LETTER, DEAD_LETTER_ACTION } from '#test/unit/schemas/samples.ts';

function letter(partition: number, offset: number, changes: Partial<DeadLetter> = {}) {
  return summaryOf(record(offset, { partition }), { ...DEAD_LETTER, ...changes });
}

function action(partition: number, offset: number, number: number) {
  return { ...DEAD_LETTER_ACTION, letterPartition: partition, letterOffset: offset, number };
}

describe('LetterBook', () => {
  it('joins letters with what was done about them, whichever is read first', () => {
    const book = new LetterBook();
    book.enterAction(action(0, 5, 1));
    for (const offset of [3, 5, 8]) book.enterLetter(letter(0, offset));
    book.enterLetter(letter(1, 5));
    book.enterAction({ ...action(0, 8, 2), action: 'redriven' });
    expect(book.stateOf({ partition: 0, offset: 3 })).toBe('open');
    expect(book.stateOf({ partition: 0, offset: 5 })).toBe('discarded');
    expect(book.stateOf({ partition: 0, offset: 8 })).toBe('redriven');
    expect(book.stateOf({ partition: 1, offset: 5 })).toBe('open');
    expect(book.openOffsets(0)).toEqual([3]);
    expect([book.end(0), book.end(1), book.end(2)]).toEqual([9, 6, 0]);
    expect([book.lastNumber(0), book.lastNumber(1)]).toEqual([2, 0]);
  });

  it('filters, oldest first', () => {
    const book = new LetterBook();
    book.enterLetter(letter(1, 1, { failedTimeUs: 30, cameraId: 'gate', reason: 'record-empty' }));
    book.enterLetter(letter(0, 9, { failedTimeUs: 10, cameraId: 'yard', originTopic: 'x' }));
    book.enterLetter(letter(0, 7, { failedTimeUs: 20, cameraId: null }));
    const times = (filter: Parameters<LetterBook['matching']>[0]) =>
      book.matching(filter).map(({ failedTimeUs }) => failedTimeUs);
    expect(times({})).toEqual([10, 20, 30]);
    expect(times({ cameraId: 'gate' })).toEqual([30]);
    expect(times({ reason: 'record-empty' })).toEqual([30]);
    expect(times({ originTopic: 'x' })).toEqual([10]);
    expect(times({ sinceUs: 20 })).toEqual([20, 30]);
    expect(times({ untilUs: 20 })).toEqual([10, 20]);
    expect(times({ sinceUs: 20, cameraId: 'yard' })).toEqual([]);
  });

  it('knows which records cannot be put back', () => {
    expect(letter(0, 0).obstacle).toBeUndefined();
    expect(letter(0, 0, { originValue: null }).obstacle).toBe('the record has no value');
    expect(letter(0, 0, { originKey: null }).obstacle).toBe('the record has no key');
    const originBytes = LIMITS.deadLetterOriginalBytesMax + 1;
    expect(letter(0, 0, { originBytes }).obstacle).toBe(
      'the record was too large to be kept whole',
    );
  });
});
