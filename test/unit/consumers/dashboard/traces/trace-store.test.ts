import { describe, expect, it } from 'vitest';
import { TraceStore } from '#consumers/dashboard/traces/trace-store.ts';

const idOf = (number: number) => number.toString(16).padStart(32, '0');

/** A request with one span. */
function request(trace: number, span: number, frameId?: string, name = 'capture') {
  const attributes = [{ key: 'halfsight.frame.id', value: { stringValue: frameId } }];
  return {
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                ...{ traceId: idOf(trace), spanId: idOf(span).slice(16), name },
                startTimeUnixNano: `${1_700_000_000_000_000_000n + BigInt(span) * 1000n}`,
                endTimeUnixNano: '1800000000000000000',
                ...(frameId === undefined ? {} : { attributes }),
              },
            ],
          },
        ],
      },
    ],
  };
}

describe('the store of traces', () => {
  it('finds a trace by its id and by its frame, in order of time', () => {
    const store = new TraceStore();
    store.add(request(1, 2, undefined, 'encode'));
    store.add(request(1, 1, 'gate-1-2'));
    store.add(request(2, 3, 'gate-1-2', 'fetch'));
    store.add(request(2, 4, 'gate-1-3', 'parse'));
    expect(store.trace(idOf(1)).map(({ name }) => name)).toEqual(['capture', 'encode']);
    expect(store.traceOfFrame('gate-1-2')?.map(({ name }) => name)).toEqual(['capture', 'encode']);
    const all = store.tracesOfFrame('gate-1-2').map(([first]) => first?.name);
    expect(all).toEqual(['capture', 'fetch']);
    expect(store.trace(idOf(3))).toEqual([]);
    expect(store.traceOfFrame('gate-1-4')).toBeUndefined();
  });

  it('takes a span that is sent again once', () => {
    const store = new TraceStore();
    store.add(request(1, 1));
    store.add(request(1, 1));
    expect(store.report()).toMatchObject({ traces: 1, spans: 1, spansReceived: 2 });
  });

  it('keeps the newest traces, and lets the others go whole', () => {
    const store = new TraceStore({ tracesMax: 2 });
    store.add(request(1, 1, 'a-1-1'));
    store.add(request(2, 2, 'b-1-1'));
    // A span that comes makes its trace a new one.
    store.add(request(1, 3));
    store.add(request(3, 4, 'c-1-1'));
    expect(store.traceOfFrame('b-1-1')).toBeUndefined();
    expect(store.traceOfFrame('a-1-1')).toHaveLength(2);
    expect(store.report()).toMatchObject({ traces: 2, spans: 3, tracesEvicted: 1 });
  });

  it('holds no more bytes than it may', () => {
    const empty = new TraceStore();
    empty.add(request(1, 1, 'gate-1-1'));
    const bytesMax = 10 * empty.report().bytes;
    const store = new TraceStore({ bytesMax });
    for (let trace = 1; trace <= 500; trace++) {
      store.add(request(trace, trace, `gate-1-${trace % 7}`));
      expect(store.report().bytes).toBeLessThanOrEqual(bytesMax);
    }
    const { traces, tracesEvicted } = store.report();
    expect(traces).toBeGreaterThanOrEqual(8);
    expect(traces + tracesEvicted).toBe(500);
    const found = Array.from({ length: 7 }, (_, index) => store.tracesOfFrame(`gate-1-${index}`));
    expect(found.flat()).toHaveLength(traces);
  });

  it('takes no more of one trace than it may, and counts the others', () => {
    const store = new TraceStore({ spansPerTraceMax: 3 });
    for (let span = 1; span <= 5; span++) store.add(request(1, span));
    expect(store.report()).toMatchObject({ spans: 3, spansOverTrace: 2 });
  });

  it('counts what it could not read', () => {
    const store = new TraceStore();
    expect(store.add(request(0, 1))).toEqual({ rejected: 1 });
    expect(store.add('nonsense')).toEqual({ rejected: 0 });
    expect(store.report()).toMatchObject({ spans: 0, spansReceived: 1, spansRejected: 1 });
  });
});
