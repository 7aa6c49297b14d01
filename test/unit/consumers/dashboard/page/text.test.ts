import { describe, expect, it } from 'vitest';
import {
  agoText,
  bytesText,
  countsText,
  decimalText,
  durationText,
  percentText,
  plural,
  spanText,
} from '#consumers/dashboard/page/text.ts';

describe('text', () => {
  it.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [9_949, '9.9 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [59_700, '1 min 00 s'],
    [3_599_000, '59 min 59 s'],
    [3_600_000, '1 h 00 min'],
    [172_800_000, '2 d'],
    [null, '–'],
  ])('durationText %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it('agoText is in whole seconds', () => {
    expect(agoText(200)).toBe('1 s');
    expect(agoText(4_900)).toBe('4 s');
    expect(agoText(65_000)).toBe('1 min 05 s');
  });

  it.each([
    [12.4, '12 µs'],
    [1_240, '1.2 ms'],
    [12_400, '12 ms'],
    [1_240_000, '1.2 s'],
  ])('spanText %s', (us, text) => {
    expect(spanText(us)).toBe(text);
  });

  it('numbers', () => {
    expect(decimalText(2)).toBe('2.0');
    expect(decimalText(12.34)).toBe('12');
    expect(decimalText(1_234.5)).toBe('1,235');
    expect(decimalText(null)).toBe('–');
    expect(bytesText(1_023)).toBe('1023 B');
    expect(bytesText(3_327)).toBe('3.2 KB');
    expect(percentText(0.004)).toBe('<1 %');
    expect(percentText(0)).toBe('0 %');
    expect(plural(1, 'camera')).toBe('1 camera');
    expect(plural(1_000, 'camera')).toBe('1,000 cameras');
  });

  it('counts, the most frequent first', () => {
    expect(countsText({ car: 1, person: 2, bus: 1 })).toBe('2 person, 1 bus, 1 car');
    expect(countsText({})).toBe('');
  });
});
