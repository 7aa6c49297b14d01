import { describe, expect, it } from 'vitest';
import {
  EVERYTHING,
  readSelection,
  writeSelection,
} from '#consumers/dashboard/page/wall/selection.ts';

describe('the selection in the address', () => {
  it('survives the way there and back, and is not there for everything', () => {
    const selection = {
      ...EVERYTHING,
      search: 'a & b?',
      state: 'offline',
      sees: 'street sign',
      sort: 'age',
      size: 'small',
    } as const;
    expect(readSelection(writeSelection(selection))).toEqual(selection);
    expect(writeSelection(EVERYTHING)).toBe('');
  });

  it('is everything where it makes no sense', () => {
    expect(readSelection('?state=melted&sort=colour&size=&other=1')).toEqual(EVERYTHING);
  });
});
