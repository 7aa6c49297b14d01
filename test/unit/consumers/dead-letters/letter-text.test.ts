import { describe, expect, it } from 'vitest';
import { summaryOf } from '#consumers/dead-letters/letter-book.ts';
import {
  hexDump,
  letterJson,
  lettersTable,
  wholeLetterJson,
  wholeLetterText,
} from '#consumers/dead-letters/letter-text.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import { record } from '#test/unit/consumers/inference/fakes.ts';
import { DEAD_LETTER, DEAD_LETTER_ACTION } from '#test/unit/schemas/samples.ts';

function whole(changes: Partial<DeadLetter> = {}) {
  const letter = { ...DEAD_LETTER, ...changes };
  const summary = summaryOf(record(17, { partition: 3 }), letter);
  return {
    letter: summary,
    record: letter,
    state: 'discarded',
    action: DEAD_LETTER_ACTION,
  } as const;
}

describe('a list of letters', () => {
  it('has one line each: place, time, frame, reason, state, detail without its code', () => {
    const detail = 'record-truncated: ends\n early.';
    const first = { letter: whole({ detail, redrives: 0 }).letter, state: 'open' } as const;
    const frameId = 'gate-1-2';
    const second = { letter: whole({ frameId, redrives: 2 }).letter, state: 'open' } as const;
    const [title, one, two] = lettersTable([first, second]);
    expect(title).toMatch(/^letter +given up \(UTC\) +frame +reason +state +detail$/);
    expect(one).toMatch(
      /^3:17 +2025-11-21 08:05:45 +gate-2.north_A +record-truncated +open +ends early\.$/,
    );
    expect(two).toMatch(/ gate-1-2 +record-truncated +open, redrive 2 failed +frame record ends/);
    expect(lettersTable([])).toEqual(['No dead letter matches.']);
  });

  it('is an object a line for programs', () => {
    expect(JSON.parse(letterJson(whole()))).toMatchObject({
      letter: '3:17',
      state: 'discarded',
      reason: 'record-truncated',
      canRedrive: true,
    });
  });
});

describe('a whole letter', () => {
  it('shows all that is known, and never raw bytes', () => {
    const originHeaders = { 'frame-id': Buffer.from('x-1-2'), odd: Buffer.of(0x1b, 0x5b) };
    const text = wholeLetterText(whole({ originHeaders }));
    expect(text).toMatch(/^letter +3:17$/m);
    expect(text).toMatch(
      /^state +discarded 2025-11-21 08:05:45 by ops@host-1: camera was replaced$/m,
    );
    expect(text).toMatch(/^bundle +halfsight-lite0 0\.1\.0 (cd){32}$/m);
    expect(text).toMatch(/^record +halfsight\.camera\.frame\.v1 3:9007199254740990$/m);
    expect(text).toMatch(/^header frame-id +x-1-2$/m);
    expect(text).toMatch(/^header odd +0x1b5b$/m);
    expect(text).toMatch(/^value +3 bytes$/m);
    expect(text).toContain('TypeError: x is not a function\n    at decode');
    expect(text).not.toContain('\u001b');
  });

  it('says why its record cannot be put back', () => {
    const text = wholeLetterText(whole({ originBytes: 700_000 }));
    expect(text).toMatch(/^value +700000 bytes; it cannot be redriven: the record was too large/m);
  });

  it('is JSON with bytes in base64', () => {
    const json = JSON.parse(wholeLetterJson(whole()));
    expect(json).toMatchObject({ letter: '3:17', originValue: 'wwEA', redrives: 1 });
    expect(Buffer.from(json.originHeaders['frame-id'], 'base64').toString()).toContain('4711');
    expect(json.action).toMatchObject({ action: 'discarded', note: 'camera was replaced' });
  });
});

it('a dump has sixteen bytes a line, and says how many are missing', () => {
  const lines = hexDump(Buffer.from(`Hi\n${'x'.repeat(300)}`));
  expect(lines[0]).toBe(`  000000  48 69 0a${' 78'.repeat(13)}  Hi.xxxxxxxxxxxxx`);
  expect(lines).toHaveLength(17);
  expect(lines.at(-1)).toBe('  ... 47 bytes more');
  expect(hexDump(new Uint8Array())).toEqual([]);
});
