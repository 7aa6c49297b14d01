import { expect, it } from 'vitest';
import { LetterBook, summaryOf } from '#consumers/dead-letters/letter-book.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { record } from '#test/unit/consumers/inference/fakes.ts';
import { DEAD_LETTER, DEAD_LETTER_ACTION } from '#test/unit/schemas/samples.ts';
import { withOffice } from './control-office.ts';

function book(): LetterBook {
  const letters = new LetterBook();
  const enter = (offset: number, reason: string, failedTimeUs: number) => {
    const letter = { ...DEAD_LETTER, reason, failedTimeUs };
    letters.enterLetter(summaryOf(record(offset, { partition: 0 }), letter));
  };
  enter(1, 'record-empty', 3e6);
  enter(2, 'bitstream-truncated', 2e6);
  enter(3, 'bitstream-truncated', 5e6);
  enter(4, 'bitstream-truncated', 4e6);
  letters.enterAction({
    ...{ ...DEAD_LETTER_ACTION, action: 'redriven' },
    ...{ letterPartition: 0, letterOffset: 4, number: 1 },
  });
  letters.enterUnreadable();
  return letters;
}

it('are counted by reason', () =>
  withOffice(
    async (office) => {
      const { status, body } = await office.ask('GET', '/v1/dead-letters');
      expect(status).toBe(200);
      expect(body).toEqual({
        ...{ open: 3, redriven: 1, discarded: 0, unknown: 0, unreadable: 1 },
        reasons: [
          {
            ...{ reason: 'bitstream-truncated', open: 2, redriven: 1, discarded: 0, unknown: 0 },
            ...{ oldest: '1970-01-01T00:00:02.000Z', newest: '1970-01-01T00:00:05.000Z' },
          },
          {
            ...{ reason: 'record-empty', open: 1, redriven: 0, discarded: 0, unknown: 0 },
            ...{ oldest: '1970-01-01T00:00:03.000Z', newest: '1970-01-01T00:00:03.000Z' },
          },
        ],
      });
    },
    { readLetters: async () => book() },
  ));

it('need a broker', () => {
  const away = new HalfsightError('broker-unavailable', 'no broker answers.');
  return withOffice(
    async (office) => {
      const answer = await office.ask('GET', '/v1/dead-letters');
      expect(answer).toMatchObject({ status: 503, body: { code: 'broker-unavailable' } });
      expect(answer.headers['retry-after']).toBe('2');
    },
    { readLetters: () => Promise.reject(away) },
  );
});
