import { describe, expect, it } from 'vitest';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { ToldLog } from '#test/fixtures/told-log.ts';

function watched() {
  const [clock, log] = [new ManualClock(), new ToldLog()];
  return { clock, log, watch: new SpanWatch(clock, log) };
}

describe('SpanWatch', () => {
  it('counts spans by reason, and has each series before anything was dropped', () => {
    const { watch } = watched();
    watch.dropped('export-failed', 7, new Error('refused'));
    watch.dropped('export-failed', 5, new Error('refused'));
    expect(watch.families()).toMatchObject([
      {
        ...{ name: 'halfsight_spans_dropped_total', type: 'counter' },
        samples: [
          { labels: { reason: 'queue-full' }, value: 0 },
          { labels: { reason: 'export-failed' }, value: 12 },
          { labels: { reason: 'stopped' }, value: 0 },
        ],
      },
    ]);
  });

  it('tells each reason once, and once that spans arrive again', async () => {
    const { clock, log, watch } = watched();
    watch.exported();
    watch.dropped('export-failed', 2, new Error('refused'));
    await clock.advance(3_000);
    watch.dropped('queue-full', 1);
    watch.dropped('queue-full', 1);
    watch.dropped('export-failed', 2, new Error('refused'));
    watch.exported();
    watch.exported();
    expect(log.lines).toEqual([
      { event: 'spans-dropped', reason: 'export-failed', error: 'Error: refused' },
      { event: 'spans-dropped', reason: 'queue-full' },
      { event: 'spans-export-resumed', dropped: 6, awayMs: 3_000 },
    ]);
    watch.dropped('export-failed', 1, new Error('refused again'));
    expect(log.lines).toHaveLength(4);
  });

  it('takes a collector that is too slow for none that is well', () => {
    const { log, watch } = watched();
    for (let batch = 0; batch < 3; batch += 1) {
      watch.dropped('queue-full', 10);
      watch.exported();
    }
    expect(log.events()).toEqual(['spans-dropped']);
    watch.exported();
    expect(log.lines.at(-1)).toEqual({ event: 'spans-export-resumed', dropped: 30, awayMs: 0 });
  });
});
