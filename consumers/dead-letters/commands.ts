import { writeFileSync } from 'node:fs';
import { HalfsightError } from '#runtime/errors.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import type { ListCommand, SettleCommand, ShowCommand } from './arguments.ts';
import { type Letter, type LetterBook, letterName } from './letter-book.ts';
import { letterJson, lettersTable, wholeLetterJson, wholeLetterText } from './letter-text.ts';
import { type Access, readBook } from './read-letters.ts';
import { settleLetters } from './settle.ts';

/** Takes what a command has to say; several lines may come at once. */
export type Print = (text: string) => Promise<void>;

export async function listLetters(
  access: Access,
  { filter, limit, json }: ListCommand,
  print: Print,
): Promise<void> {
  const book = await readBook(access);
  const matching = book.matching(filter);
  const listed = matching.slice(-limit).map((letter) => ({ letter, state: book.stateOf(letter) }));
  if (json) {
    for (const each of listed) await print(`${letterJson(each)}\n`);
    return;
  }
  const older = matching.length - listed.length;
  if (older > 0) await print(`${older} older letters: see --limit\n`);
  await print(`${lettersTable(listed).join('\n')}\n`);
  if (book.unreadable > 0) await print(`${book.unreadable} records could not be read\n`);
}

export async function showLetter(
  access: Access,
  { position, json, outFile }: ShowCommand,
  print: Print,
): Promise<void> {
  let record: DeadLetter | undefined;
  const book = await readBook(access, ({ partition, offset }, letter) => {
    if (partition === position.partition && offset === position.offset) record = letter;
  });
  const letter = book.letter(position);
  if (letter === undefined || record === undefined) throw noLetter([letterName(position)]);
  const state = book.stateOf(letter);
  const whole = { letter, record, state, action: book.actionOn(letter) };
  await print(json ? wholeLetterJson(whole) : wholeLetterText(whole));
  if (outFile === undefined) return;
  writeFileSync(outFile, record.originValue ?? new Uint8Array());
  if (!json) await print(`The original value is in ${outFile}.\n`);
}

/** Redrives or discards. `by`: user@host. False when a letter that was named cannot be redriven. */
export async function settle(
  access: Access,
  command: SettleCommand,
  by: string,
  print: Print,
): Promise<boolean> {
  const book = await readBook(access);
  const open = openLetters(book, command);
  const stuck = command.command === 'redrive' ? open.filter(({ obstacle }) => obstacle) : [];
  for (const letter of stuck) {
    await print(`${letterName(letter)} cannot be redriven: ${letter.obstacle}.\n`);
  }
  const chosen = open.filter((letter) => !stuck.includes(letter)).slice(0, command.limit);
  if (command.dryRun) {
    await print(
      `${lettersTable(chosen.map((letter) => ({ letter, state: 'open' }))).join('\n')}\n`,
    );
    await print('Nothing was done: this was a dry run.\n');
    return true;
  }
  const action = command.command === 'redrive' ? 'redriven' : 'discarded';
  const { note } = command;
  const { settled, settledBefore } = await settleLetters(access, chosen, { action, note, by });
  const named = new Set(command.positions.map(letterName)).size;
  const before = named === 0 ? 0 : named - open.length;
  const letters = settled === 1 ? 'letter' : 'letters';
  await print(`${settled} ${letters} ${action}${dealtWith(settledBefore + before)}.\n`);
  return named === 0 || stuck.length === 0;
}

/** Oldest first, so that frames of one camera go back in their order. */
function openLetters(book: LetterBook, { positions, filter }: SettleCommand): Letter[] {
  const missing = positions.filter((position) => book.letter(position) === undefined);
  if (missing.length > 0) throw noLetter(missing.map(letterName));
  const named = new Set(positions.map(letterName));
  return book
    .matching(filter)
    .filter((letter) => named.size === 0 || named.has(letterName(letter)))
    .filter((letter) => book.stateOf(letter) === 'open');
}

function dealtWith(count: number): string {
  return count === 0 ? '' : `; ${count} had been dealt with before`;
}

function noLetter(names: readonly string[]): HalfsightError {
  const are = names.length === 1 ? 'is no dead letter' : 'are no dead letters';
  return new HalfsightError('usage-invalid', `${names.join(', ')} ${are}.`, {
    advice: 'npm run dead-letters -- list shows what there is; Kafka deletes letters after a week.',
  });
}
