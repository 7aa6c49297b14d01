import { createHash } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { pageOf } from '#infra/evaluate/page.ts';
import { rateAccuracyPlot } from '#infra/evaluate/plot.ts';
import { bytes, EVIL, reportOf, row } from './sample-report.ts';

const rows = [
  row(EVIL, { recordBytes: bytes(1000), mAP50: 0.5, remark: '</td><script>alert(1)</script>' }),
  row('unsplit', { mAP50: 0.6 }),
  row('webp', { setting: `side 416, "quality" 10`, recordBytes: bytes(2000), mAP50: 0.4 }),
];
const report = reportOf(rows, {
  detector: '<b>.onnx',
  failedPictures: [{ name: '<i>.jpg', reason: 'no <u>' }],
  comparisons: [
    {
      ...{ method: EVIL, setting: 's', measure: 'mAP50', value: 0.5, recordBytes: 1000 },
      ...{ opponent: EVIL, opponentBytes: 2000, ratio: 0.5, remark: '<s>' },
    },
  ],
});
const svg = rateAccuracyPlot(rows, 'mAP50', EVIL);
const page = pageOf(report, [{ file: 'plot.svg', name: 'plot', svg }]);
const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script = '']) => script);

describe('the page of a report', () => {
  it('holds every row, and no markup from a name', () => {
    const [, body = ''] = page.split('<h2>All rows</h2>');
    const [table = ''] = body.split('</table>');
    expect(table.match(/<tr><td/g)).toHaveLength(rows.length);
    const evil = '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;|[a](b) &amp;';
    expect(table).toContain(`<td>${evil}</td>`);
    expect(table).toContain('<td>side 416, &quot;quality&quot; 10</td><td class="number">2</td>');
    const elements = page.slice(page.indexOf('<body>')).matchAll(/<([a-z0-9]+)[\s>/]/g);
    const known = ['body', 'h1', 'h2', 'p', 'div', 'table', 'thead', 'tbody', 'tr', 'th', 'td'];
    const drawn = ['svg', 'rect', 'text', 'line', 'circle', 'polyline'];
    const rest = ['button', 'ul', 'li', 'script'];
    expect([...elements].map(([, name]) => name)).toSatisfy((names: string[]) =>
      names.every((name) => [...known, ...drawn, ...rest].includes(name)),
    );
    expect(page).not.toMatch(/\p{Cc}(?<!\n)/u);
  });

  it('can be sorted by every column', () => {
    const heads = page.match(/<th /g)?.length;
    expect(heads).toBe(17 + 8);
    expect(
      page.match(/<th scope="col" aria-sort="none"[^>]*><button type="button">/g),
    ).toHaveLength(heads ?? 0);
  });

  it('loads nothing, and lets its own script and style run, and no others', () => {
    expect(page).not.toMatch(/(src|href)="|url\(|@import|fetch\(/);
    expect(scripts).toHaveLength(1);
    const [, policy = ''] = /Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
    expect(policy).toContain("default-src 'none'");
    for (const [kind, text] of [
      ['script', scripts[0] ?? ''],
      ['style', style],
    ] as const) {
      const digest = createHash('sha256').update(text).digest('base64');
      expect(policy).toContain(`${kind}-src 'sha256-${digest}'`);
    }
  });

  it('leaves out sections that would be empty', () => {
    const headings = (text: string) => [...text.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, h]) => h);
    expect(headings(page)).toEqual([
      ...['All rows', 'Bytes at equal accuracy', 'Notes', 'Pictures that were left out'],
    ]);
    const encoder = { parameterBits: 8000, macs: 1 };
    const known = reportOf([row('a', { recordBytes: bytes(100), encoder })], { notes: [] });
    expect(headings(pageOf(known, []))).toEqual(['All rows', "SC2's three metrics"]);
  });
});

/** The script's own order, of the texts of one column. */
function sorted(texts: readonly string[], clicks: number): string[] {
  const lines = texts.map((textContent) => ({ cells: [{ textContent }] }));
  const body = {
    rows: lines,
    append: (...moved: typeof lines) => {
      body.rows = moved;
    },
  };
  let click = () => {};
  const attributes = new Map<string, string>();
  const head = {
    cellIndex: 0,
    parentNode: {} as { cells: object[] },
    firstChild: {
      addEventListener: (_: string, listener: () => void) => {
        click = listener;
      },
    },
    getAttribute: (name: string) => attributes.get(name),
    setAttribute: (name: string, value: string) => attributes.set(name, value),
  };
  head.parentNode.cells = [head];
  const table = { tHead: { rows: [head.parentNode] }, tBodies: [body] };
  runInNewContext(scripts[0] ?? '', { document: { querySelectorAll: () => [table] } });
  for (let count = 0; count < clicks; count++) click();
  expect(attributes.get('aria-sort')).toBe(clicks % 2 === 1 ? 'ascending' : 'descending');
  return body.rows.map(({ cells }) => cells[0]?.textContent ?? '');
}

describe('a click on a head', () => {
  it('sorts numbers by value, texts by the numbers in them, and what is missing last', () => {
    expect(sorted(['10.5', '-', '9', '0.083', '0.2'], 1)).toEqual([
      ...['0.083', '0.2', '9', '10.5', '-'],
    ]);
    expect(sorted(['side 416, quality 10', 'side 416, quality 5', 'a'], 1)).toEqual([
      ...['a', 'side 416, quality 5', 'side 416, quality 10'],
    ]);
  });

  it('sorts the other way round the second time', () => {
    expect(sorted(['1', '', '3', '2'], 2)).toEqual(['3', '2', '1', '']);
  });
});
