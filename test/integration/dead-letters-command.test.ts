import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import { decodeDeadLetterAction } from '#schemas/dead-letter-action.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { redrivenFrom } from '#schemas/redriven-from.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { DEAD_LETTERS, scene, writeLetters } from './dead-letter-writer.ts';

const FRAMING = singleObjectFraming();

describe('npm run dead-letters', () => {
  it('puts back key, value and headers as they were, and says where they come from', async () => {
    const { prefix, topics, broker, run, list } = await scene('redrive-headers');
    const originHeaders = { 'frame-id': Buffer.from('x'), odd: Buffer.of(0xff, 0, 0x80) };
    await writeLetters(broker, topics, [{ originHeaders, redrives: 3 }]);
    const [letter] = await list();
    const redrive = await run(DEAD_LETTERS, 'redrive', letter?.letter ?? '');
    expect(redrive).toEqual({ code: 0, output: '1 letter redriven.\n' });
    const [record] = await readTopic(broker, topics.frames.name, {
      groupId: `${prefix}-reader`,
      count: 1,
    });
    expect(record?.key).toBe('gate');
    expect([...(record?.value ?? [])]).toEqual([0]);
    expect(Buffer.from(record?.headers.odd ?? []).toString('hex')).toBe('ff0080');
    const from = redrivenFrom(record?.headers ?? {});
    expect(`${from?.letterPartition}:${from?.letterOffset}`).toBe(letter?.letter);
    expect(from?.redrives).toBe(4);
    const again = await run(DEAD_LETTERS, 'redrive', letter?.letter ?? '');
    expect(again.output).toBe('0 letters redriven; 1 had been dealt with before.\n');
  });

  it('lists by filter, shows, discards, and says what it cannot do', async () => {
    const { prefix, topics, broker, run, list } = await scene('letters');
    const hourUs = 3600 * 1e6;
    const nowUs = systemClock.nowUs();
    await writeLetters(broker, topics, [
      { reason: 'schema-unknown', failedTimeUs: nowUs - 3 * hourUs },
      { reason: 'record-truncated', failedTimeUs: nowUs - hourUs },
      { reason: 'record-too-large', failedTimeUs: nowUs, originBytes: 600_000 },
    ]);
    const all = await list();
    expect(all).toMatchObject([
      { cameraId: 'gate', reason: 'schema-unknown', state: 'open', canRedrive: true },
      { cameraId: 'yard', reason: 'record-truncated', state: 'open', canRedrive: true },
      { cameraId: 'gate', reason: 'record-too-large', state: 'open', canRedrive: false },
    ]);
    const [oldest, , tooLarge] = all.map(({ letter }) => letter);
    const reasons = async (...args: readonly string[]) =>
      (await list(...args)).map((letter) => (letter as unknown as DeadLetter).reason);
    expect(await reasons('--camera', 'yard')).toEqual(['record-truncated']);
    expect(await reasons('--since', '2h')).toEqual(['record-truncated', 'record-too-large']);
    expect(await reasons('--until', '2h')).toEqual(['schema-unknown']);
    expect(await reasons('--limit', '1')).toEqual(['record-too-large']);
    expect(await reasons('--reason', 'schema-unknown')).toEqual(['schema-unknown']);
    expect(await reasons('--topic', 'elsewhere')).toEqual([]);

    const discard = await run(DEAD_LETTERS, 'discard', oldest ?? '', '--note', 'old camera');
    expect(discard).toEqual({ code: 0, output: '1 letter discarded.\n' });
    const file = join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'value');
    const show = await run(DEAD_LETTERS, 'show', oldest ?? '', '--out', file);
    expect(show.output).toMatch(/^state +discarded .*: old camera$/m);
    expect([...readFileSync(file)]).toEqual([0]);

    const dry = await run(DEAD_LETTERS, 'redrive', '--dry-run');
    expect(dry.output).toContain(`${tooLarge} cannot be redriven: the record was too large`);
    expect(dry.output).toContain('Nothing was done');
    const stuck = await run(DEAD_LETTERS, 'redrive', tooLarge ?? '');
    expect(stuck.code).toBe(1);
    const nowhere = await run(DEAD_LETTERS, 'redrive', '0:999');
    expect(nowhere).toMatchObject({
      code: 2,
      output: expect.stringContaining('is no dead letter'),
    });

    const reading = { groupId: `${prefix}-actions`, count: 1 };
    const actions = await readTopic(broker, topics.deadLetterActions.name, reading);
    expect(actions.map(({ value }) => decodeDeadLetterAction(value, FRAMING))).toMatchObject([
      { action: 'discarded', number: 1, note: 'old camera', by: expect.stringMatching(/.@./) },
    ]);
  });
});
