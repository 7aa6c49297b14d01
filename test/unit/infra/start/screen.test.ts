import { describe, expect, it } from 'vitest';
import { Screen } from '#infra/start/screen.ts';

/** A terminal that understands the two sequences that Screen uses, and nothing else. */
class Terminal {
  readonly isTTY = true;
  readonly columns = 80;
  readonly rows = 24;
  lines: string[] = [''];

  write(text: string): void {
    for (const part of text.replaceAll('\x1b', 'ESC').split(/(ESC\[\d+AESC\[0J|\n)/)) {
      const up = /^ESC\[(\d+)A/.exec(part)?.[1];
      if (up !== undefined) this.lines = [...this.lines.slice(0, -1 - Number(up)), ''];
      else if (part === '\n') this.lines.push('');
      else this.lines[this.lines.length - 1] += part;
    }
  }
}

describe('Screen', () => {
  it('draws its table in place, below the lines that stay', () => {
    const terminal = new Terminal();
    const screen = new Screen(terminal);
    screen.say('one');
    screen.table(['a', 'b']);
    screen.table(['c', 'd', 'e']);
    screen.say('two');
    expect(terminal.lines).toEqual(['one', 'two', 'c', 'd', 'e', '']);
    screen.table(['f']);
    expect(terminal.lines).toEqual(['one', 'two', 'f', '']);
    screen.keepTable();
    screen.say('three');
    expect(terminal.lines).toEqual(['one', 'two', 'f', 'three', '']);
  });

  it('draws no table and no escape sequences where there is no terminal', () => {
    let text = '';
    const write = (more: string) => {
      text += more;
    };
    const screen = new Screen({ write });
    screen.say('one');
    screen.table(['a']);
    screen.say('two');
    expect(text).toBe('one\ntwo\n');
  });
});
