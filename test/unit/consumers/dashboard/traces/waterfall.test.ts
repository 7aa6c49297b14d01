import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TraceSpan } from '#consumers/dashboard/traces/trace-span.ts';
import { type Waterfall, waterfall } from '#consumers/dashboard/traces/waterfall.ts';
import { defined } from '#runtime/assert.ts';
import { idOf, span, WHOLE } from './spans.ts';

function drawn(spans: readonly TraceSpan[], end?: number): Waterfall {
  return defined(waterfall(spans, end === undefined ? undefined : idOf(end)), 'a picture');
}

/** `name kind ms`, in order. */
const pathOf = ({ path }: Waterfall) =>
  path.map(({ name, kind, durationUs }) => `${name}: ${kind} ${durationUs / 1000}`);

describe('the path from capture to delivery', () => {
  it('goes through every step and wait, to the first delivery', () => {
    const picture = drawn(WHOLE);
    expect(pathOf(picture)).toEqual([
      'capture: step 10',
      'waits for an encoder: wait 15',
      'encode: step 20',
      'send frames: step 25',
      'waits for its turn in the consumer: wait 8',
      'parse: step 1',
      'waits for a batch: wait 21',
      'decode: step 10',
      'batch: step 2',
      'body: step 28',
      'head detection: step 9',
      'batch: step 0.5',
      'waits for its transaction: wait 20.5',
      'commit: step 15',
      'its result is in Kafka: wait 5',
      'deliver: step 10',
    ]);
    expect(picture).toMatchObject({ ageUs: 200_000, endSpanId: idOf(13), frameId: 'gate-1-2' });
    expect(picture.durationUs).toBe(230_000);
  });

  it('leads to the delivery that is asked for', () => {
    const picture = drawn(WHOLE, 14);
    expect(picture).toMatchObject({ ageUs: 230_000, endSpanId: idOf(14) });
    expect(pathOf(picture).slice(-2)).toEqual([
      'its result is in Kafka: wait 3',
      'deliver: step 42',
    ]);
    expect(picture.ends).toEqual([
      { spanId: idOf(13), name: 'deliver', service: 'halfsight-subscriber', of: 'detection' },
      { spanId: idOf(14), name: 'deliver', service: 'halfsight-subscriber', of: 'classification' },
    ]);
  });

  it('knows the waits of an outage, a dead letter and a webhook', () => {
    const agent = { service: 'halfsight-camera' };
    const hook = { service: 'halfsight-webhooks' };
    const attributes = { 'halfsight.webhook': 'ops' };
    const picture = drawn([
      span(1, 'send frames', [0, 10], agent),
      span(2, 'spool', [10, 100], { ...agent, parent: 1 }),
      span(3, 'fetch', [110, 111], { parent: 1 }),
      span(4, 'parse', [111, 112], { parent: 3 }),
      span(5, 'dead-letter', [112, 120], { parent: 4, error: 'bitstream-malformed' }),
      span(6, 'commit', [120, 125], { parent: 5 }),
      span(7, 'redrive', [500, 510], { service: 'halfsight-dead-letters', parent: 5 }),
      span(8, 'fetch', [520, 521], { parent: 7 }),
      span(9, 'publish', [521, 530], { parent: 8 }),
      span(10, 'enqueue webhook', [540, 542], { ...hook, parent: 9 }),
      span(11, 'POST', [550, 560], { ...hook, parent: 10, attributes, error: 'answers 503' }),
      span(12, 'POST', [600, 605], { ...hook, parent: 10, attributes }),
    ]);
    expect(picture.endSpanId).toBe(idOf(12));
    expect(pathOf(picture)).toEqual([
      'send frames: step 10',
      'on disk: the cluster is away: wait 90',
      'in Kafka: wait 10',
      'waits for its turn in the consumer: wait 1',
      'parse: step 1',
      'dead-letter: step 8',
      'commit: step 5',
      'is a dead letter: wait 375',
      'redrive: step 10',
      'in Kafka: wait 10',
      'waits for its turn in the consumer: wait 1',
      'waits for its transaction: wait 9',
      'its result is in Kafka: wait 10',
      'enqueue webhook: step 2',
      'in the queue of its webhook: wait 8',
      'POST: step 10',
      'waits for the next attempt: wait 40',
      'POST: step 5',
    ]);
  });

  it('goes on from the step that began last, also where one before it ended later', () => {
    const hook = { service: 'halfsight-webhooks' };
    const picture = drawn([
      span(1, 'publish', [0, 10]),
      span(2, 'commit', [10, 30], { parent: 1 }),
      span(3, 'enqueue webhook', [20, 25], { ...hook, parent: 1 }),
      span(4, 'POST', [50, 60], {
        ...{ ...hook, parent: 3 },
        attributes: { 'halfsight.webhook': 'ops' },
      }),
    ]);
    expect(pathOf(picture)).toEqual([
      'waits for its transaction: wait 10',
      'commit: step 10',
      'enqueue webhook: step 5',
      'commit: step 5',
      'in the queue of its webhook: wait 20',
      'POST: step 10',
    ]);
  });

  it('says where nobody knows what happened', () => {
    const picture = drawn(WHOLE.filter(({ name }) => !/^(batch|decode|body|head)/.test(name)));
    // Its parent is missing, so it begins the path.
    expect(pathOf(picture)[0]).toBe('waits for its transaction: wait 20.5');
    const lost = drawn([
      span(1, 'capture', [0, 10]),
      span(2, 'encode', [30, 40], { parent: 1, service: 'other' }),
    ]);
    expect(pathOf(lost)[1]).toBe('from capture to encode: gap 20');
  });

  it('ends with what ended last where nothing was delivered', () => {
    const picture = drawn([
      span(1, 'capture', [0, 10]),
      span(2, 'await encoder', [10, 30], { parent: 1 }),
    ]);
    expect(picture).toMatchObject({ ends: [], endSpanId: idOf(2), ageUs: 30_000 });
  });

  it('has no hole and no overlap, whatever the clocks of the machines say', () => {
    const spans = fc.array(
      fc.record({
        parent: fc.nat(12),
        name: fc.constantFrom('capture', 'fetch', 'batch', 'decode', 'publish', 'deliver', 'x'),
        service: fc.constantFrom('a', 'b'),
        from: fc.integer({ min: -50, max: 50 }),
        ms: fc.nat(40),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(spans, (written) => {
        const picture = drawn(
          written.map(({ parent, name, service, from, ms }, index) =>
            span(index + 1, name, [from, from + ms], { parent, service }),
          ),
        );
        const { path, ageUs, steps, endSpanId } = picture;
        for (const [index, segment] of path.entries()) {
          expect(segment.durationUs).toBeGreaterThan(0);
          const before = path[index - 1];
          if (before === undefined) continue;
          expect(segment.startUs).toBe(before.startUs + before.durationUs);
        }
        const end = steps.find(({ spanId }) => spanId === endSpanId);
        const last = path.at(-1);
        if (last !== undefined) expect(last.startUs + last.durationUs).toBe(end?.endUs);
        expect(ageUs).toBe(path.reduce((sum, { durationUs }) => sum + durationUs, 0));
        for (const { selfUs, durationUs } of steps) {
          expect(selfUs).toBeGreaterThanOrEqual(0);
          expect(selfUs).toBeLessThanOrEqual(durationUs);
        }
      }),
    );
  });
});

describe('the steps', () => {
  it('are in order of time; a part of another stands below it, and takes of its time', () => {
    const { steps } = drawn(WHOLE);
    const shown = steps.map(
      ({ name, depth, selfUs }) => `${'-'.repeat(depth)}${name} ${selfUs / 1000}`,
    );
    expect(shown).toEqual([
      ...['capture 10', 'await encoder 15', 'encode 20', 'send frames 30', 'fetch 8', 'parse 1'],
      ...['batch 24', '-decode 10', '-body 28', '-head detection 9', 'publish 20.5', 'commit 15'],
      ...['deliver 42', 'deliver 10'],
    ]);
    const aside = steps.filter(({ isOnPath }) => !isOnPath);
    expect(aside.map(({ spanId }) => spanId)).toEqual([idOf(14)]);
    expect(steps[2]).toMatchObject({ offsetUs: 25_000, durationUs: 20_000 });
  });

  it('are none of no spans', () => {
    expect(waterfall([])).toBeUndefined();
  });
});
