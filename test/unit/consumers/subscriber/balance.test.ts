import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Balance } from '#consumers/subscriber/balance.ts';
import { defined } from '#runtime/assert.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { TASKS, type Task } from '#schemas/result.ts';

const CAMERA = 'gate';
const EPOCH = 1_700_000_000_000;

function frame(sequence: number) {
  return { cameraId: CAMERA, epoch: EPOCH, sequence };
}

function status(changes: Partial<CameraStatus>): CameraStatus {
  return {
    cameraId: CAMERA,
    epoch: EPOCH,
    agentId: 'agent',
    state: 'online',
    captured: 0,
    published: 0,
    dropped: {},
    reconnects: 0,
    lastFrameTimeUs: null,
    framesPerSecond: 1,
    timeUs: 1,
    final: false,
    ratePoint: null,
    framesPerSecondLimit: null,
    profileChanges: 0,
    interrupted: false,
    sendsPictures: false,
    detail: '',
    ...changes,
  };
}

function interrupted(captured: number, published: number, dropped: Record<string, number> = {}) {
  return { ...final(captured, published, dropped), interrupted: true };
}

function final(captured: number, published: number, dropped: Record<string, number> = {}) {
  return status({ captured, published, dropped, final: true, state: 'offline' });
}

const origin = (originOffset: number) => ({ originPartition: 0, originOffset });

/** What happens to one captured frame; `results` has how often each head answers it. */
interface Fate {
  readonly dropped: boolean;
  /** How often it became a dead letter; each but the last was redriven, the last if `revived`. */
  readonly deaths: number;
  readonly revived: boolean;
  readonly copies: number;
  readonly results: readonly [number, number, number];
}

const fate: fc.Arbitrary<Fate> = fc.record({
  dropped: fc.boolean(),
  deaths: fc.integer({ min: 0, max: 12 }).map((n) => Math.max(0, n - 9)),
  revived: fc.boolean(),
  copies: fc.integer({ min: 0, max: 9 }).map((n) => (n === 0 ? 2 : 1)),
  results: fc.tuple(times(), times(), times()),
});

const isDead = ({ deaths, revived }: Fate) => deaths > 0 && !revived;
const redrivesOf = ({ deaths, revived }: Fate) => (deaths > 0 && !revived ? deaths - 1 : deaths);

/** Nearly always once. */
function times(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 19 }).map((n) => (n === 0 ? 0 : n === 1 ? 2 : 1));
}

type Step = (balance: Balance) => void;

/** One list of steps per topic, in the topic's order. */
function topicsOf(fates: readonly Fate[]): Step[][] {
  const published = fates.flatMap((one, sequence) => (one.dropped ? [] : [{ one, sequence }]));
  const repeat = (count: number, step: Step) => Array.from({ length: count }, () => step);
  const counts = final(fates.length, published.length, { busy: fates.length - published.length });
  return [
    [
      ...published.flatMap(({ one, sequence }) =>
        repeat(one.copies, (b) => b.frame(frame(sequence))),
      ),
      ...published.flatMap(({ one, sequence }) =>
        Array.from(
          { length: redrivesOf(one) },
          (_, index) => (b: Balance) => b.redrivenFrame(frame(sequence), index + 1),
        ),
      ),
    ],
    published.flatMap(({ one, sequence }) =>
      Array.from(
        { length: one.deaths },
        (_, redrives) => (b: Balance) => b.deadLetter(frame(sequence), origin(sequence), redrives),
      ),
    ),
    ...TASKS.map((task, index) => {
      const answer = ({ one, sequence }: (typeof published)[number]) =>
        repeat(one.results[index] ?? 0, (b) => b.result(task, frame(sequence), one.deaths));
      const alive = published.filter(({ one }) => !isDead(one));
      // Results of redriven frames come late.
      return [
        ...alive.filter(({ one }) => one.deaths === 0).flatMap(answer),
        ...alive.filter(({ one }) => one.deaths > 0).flatMap(answer),
      ];
    }),
    [(b) => b.status(counts)],
  ];
}

/** Merges the topics in an order that the choices decide; each keeps its own order. */
function merge(topics: readonly Step[][], choices: readonly number[]): Step[] {
  const rest = topics.map((steps) => [...steps]);
  const merged: Step[] = [];
  for (let turn = 0; rest.some((steps) => steps.length > 0); turn++) {
    const open = rest.filter((steps) => steps.length > 0);
    const chosen = open[(choices[turn % choices.length] ?? 0) % open.length];
    merged.push(defined(chosen?.shift(), 'a step'));
  }
  return merged;
}

describe('Balance of random histories', () => {
  it('equals what a naive count says, in whatever order the topics are read', () => {
    fc.assert(
      fc.property(
        fc.array(fate, { maxLength: 40 }),
        fc.array(fc.nat(5), { minLength: 1, maxLength: 50 }),
        (fates, choices) => {
          const balance = new Balance({ heads: TASKS });
          for (const step of merge(topicsOf(fates), choices)) step(balance);
          const report = balance.report();
          const [epoch] = report.epochs;
          const published = fates.filter((one) => !one.dropped);
          const alive = published.filter((one) => !isDead(one));
          expect(epoch).toMatchObject({
            state: 'closed',
            captured: fates.length,
            published: published.length,
            republished: published.filter((one) => one.copies === 2).length,
            deadLettered: published.length - alive.length,
            redriven: published.filter((one) => redrivesOf(one) > 0).length,
          });
          TASKS.forEach((task, index) => {
            const counts = alive.map((one) => one.results[index] ?? 0);
            expect(epoch?.heads[index]).toEqual({
              task,
              results: counts.filter((count) => count > 0).length,
              shed: 0,
              unwanted: 0,
              missing: counts.filter((count) => count === 0).length,
              waiting: 0,
              duplicated: counts.filter((count) => count === 2).length,
              outOfOrder: 0,
              unexpected: 0,
            });
          });
          const isGood = alive.every((one) => one.results.every((count) => count === 1));
          expect(report.balanced).toBe(isGood);
          expect(epoch?.verdict).toBe(isGood ? 'balanced' : 'unbalanced');
          const unanswered = alive.filter((one) => one.results.some((count) => count === 0));
          expect(balance.unanswered()).toBe(unanswered.length);
        },
      ),
    );
  });

  it('counts every result that comes after one of a later frame as out of order', () => {
    const inOrder = Array.from({ length: 12 }, (_, index) => index);
    fc.assert(
      fc.property(fc.shuffledSubarray(inOrder, { minLength: 12 }), (order) => {
        const balance = new Balance({ heads: ['detection'] });
        for (const sequence of inOrder) balance.frame(frame(sequence));
        for (const sequence of order) balance.result('detection', frame(sequence));
        balance.status(final(12, 12));
        const late = order.filter((n, at) => order.slice(0, at).some((before) => before > n));
        const report = balance.report();
        expect(report.epochs[0]?.heads[0]?.outOfOrder).toBe(late.length);
        expect(report.balanced).toBe(late.length === 0);
      }),
    );
  });
});

describe('Balance', () => {
  function answered(tasks: readonly Task[], sequences: readonly number[]): Balance {
    const balance = new Balance({ heads: TASKS });
    for (const sequence of sequences) {
      balance.frame(frame(sequence));
      for (const task of tasks) balance.result(task, frame(sequence));
    }
    return balance;
  }

  it('an open epoch: later frames wait, a hole before an answered frame is a loss', () => {
    const balance = answered(TASKS, [0, 1]);
    balance.frame(frame(2));
    balance.status(status({ captured: 3, published: 3 }));
    const waiting = balance.report();
    expect(waiting.balanced).toBe(true);
    expect(waiting.waiting).toBe(1);
    expect(waiting.epochs[0]).toMatchObject({ verdict: 'open', captured: 3 });
    balance.frame(frame(3));
    balance.result('detection', frame(3));
    const broken = balance.report();
    expect(broken.balanced).toBe(false);
    expect(broken.epochs[0]?.problems).toEqual(['detection: 1 lost']);
  });

  it('a dead letter answers for every head; a result as well is one too many', () => {
    const balance = answered(TASKS, [0]);
    balance.frame(frame(1));
    balance.deadLetter(frame(1), origin(1));
    balance.status(final(2, 2));
    expect(balance.report().balanced).toBe(true);
    balance.result('detection', frame(1));
    expect(balance.report().epochs[0]?.problems).toEqual(['detection: 1 duplicated']);
  });

  it('notices a frame that the camera says it published and that is not there', () => {
    const balance = answered(TASKS, [0, 2]);
    balance.status(final(3, 3));
    expect(balance.report().epochs[0]?.problems).toEqual([
      'the camera published 3, but the frame topic has 2',
    ]);
  });

  it('notices a camera whose own counts do not add up', () => {
    const balance = answered(TASKS, [0, 1]);
    balance.status(final(4, 2, { shutdown: 1 }));
    expect(balance.report().epochs[0]?.problems).toEqual([
      'the camera captured 4, but published and dropped 3',
    ]);
  });

  it('notices a head that is silent altogether, if it is told of the heads', () => {
    const balance = answered(['classification', 'detection'], [0]);
    balance.status(final(1, 1));
    expect(balance.report().epochs[0]?.problems).toEqual(['segmentation: 1 lost']);
  });

  it('without being told, judges the heads that have results; with none at all, every head', () => {
    const balance = new Balance();
    balance.frame(frame(0));
    balance.status(final(1, 1));
    expect(balance.report().heads).toEqual(TASKS);
    expect(balance.report().balanced).toBe(false);
    balance.result('detection', frame(0));
    expect(balance.report().heads).toEqual(['detection']);
    expect(balance.report().balanced).toBe(true);
  });

  it('a result that nobody published is a problem', () => {
    const balance = answered(TASKS, [0]);
    balance.result('detection', frame(7));
    balance.status(final(1, 1));
    expect(balance.report().epochs[0]?.problems).toEqual(['detection: 1 that nobody published']);
  });

  it('the final status stays, whatever comes later', () => {
    const balance = answered(TASKS, [0]);
    balance.status(final(1, 1));
    balance.status(status({ captured: 9, published: 9, timeUs: 2 }));
    expect(balance.report().epochs[0]).toMatchObject({ captured: 1, verdict: 'balanced' });
  });

  it('a record without identity must become a dead letter', () => {
    const balance = answered(TASKS, [0]);
    balance.status(final(1, 1));
    balance.unnamedFrame(3, 100);
    expect(balance.report().balanced).toBe(false);
    balance.deadLetter(undefined, { originPartition: 3, originOffset: 100 });
    expect(balance.report()).toMatchObject({
      balanced: true,
      unnamed: { records: 1, deadLettered: 1 },
    });
  });

  it('a record that cannot be decoded makes the balance fail', () => {
    const balance = answered(TASKS, [0]);
    balance.undecodable();
    expect(balance.report().balanced).toBe(false);
  });

  it('counts only what it was asked to', () => {
    const balance = new Balance({ heads: TASKS, accepts: ({ epoch }) => epoch > EPOCH });
    balance.frame(frame(0));
    expect(balance.report().epochs).toEqual([]);
    balance.frame({ ...frame(0), epoch: EPOCH + 1 });
    expect(balance.report().epochs).toHaveLength(1);
  });

  it('judges what retention has left of an epoch, and not what it has deleted', () => {
    const balance = new Balance({ heads: ['detection'] });
    balance.trimmed(CAMERA);
    for (let sequence = 50; sequence < 60; sequence++) balance.frame(frame(sequence));
    for (let sequence = 52; sequence < 60; sequence++) balance.result('detection', frame(sequence));
    balance.status(final(60, 60));
    expect(balance.report().epochs[0]).toMatchObject({ state: 'trimmed', problems: [] });
    balance.frame(frame(60));
    expect(balance.report().epochs[0]?.problems).toEqual(['detection: 1 lost']);
  });

  it('keeps no memory of settled frames, however many gaps they have', () => {
    const balance = new Balance({ heads: TASKS });
    const count = 60_000;
    for (let sequence = 0; sequence < 2 * count; sequence += 2) {
      balance.frame(frame(sequence), { busy: sequence / 2 });
      for (const task of TASKS) balance.result(task, frame(sequence));
    }
    // Two numbers for each of the newest frames, in four sets; without forgetting it is 480 000.
    expect(balance.remembered()).toBeLessThan(100_000);
    balance.status(final(2 * count, count, { busy: count }));
    expect(balance.report().epochs[0]).toMatchObject({ published: count, verdict: 'balanced' });
    balance.result('detection', frame(0));
    expect(balance.report().epochs[0]?.problems).toEqual(['detection: 1 duplicated']);
  });

  it.each([
    ['lost', { published: true, answered: false }],
    ['that nobody published', { published: false, answered: true }],
  ])('never forgets a frame that is %s, however long ago it was', (what, odd) => {
    const balance = new Balance({ heads: ['detection'] });
    for (let sequence = 0; sequence < 20_000; sequence++) {
      const fate = sequence === 5 ? odd : { published: true, answered: true };
      if (fate.published) balance.frame(frame(sequence));
      if (fate.answered) balance.result('detection', frame(sequence));
    }
    expect(balance.report().epochs[0]?.problems).toEqual([`detection: 1 ${what}`]);
  });
});

describe('an epoch whose agent was killed', () => {
  /** Frames 0 to `published` - 1 are on the topic and answered. */
  function epochWith(published: number, status: CameraStatus) {
    const balance = new Balance({ heads: ['detection'] });
    for (let sequence = 0; sequence < published; sequence++) {
      balance.frame(frame(sequence));
      balance.result('detection', frame(sequence));
    }
    balance.status(status);
    const report = balance.report();
    return { balanced: report.balanced, ...defined(report.epochs[0], 'an epoch') };
  }

  it('adds up whether its last frames were published uncounted, or died with it', () => {
    const counted = interrupted(25, 21, { 'encoder-busy': 1, 'agent-killed': 3 });
    expect(epochWith(21, counted)).toMatchObject({
      balanced: true,
      captured: 25,
      dropped: { 'encoder-busy': 1, 'agent-killed': 3 },
    });
    const published = epochWith(24, counted);
    expect(published).toMatchObject({ balanced: true, captured: 25, published: 24 });
    expect(published.dropped).toEqual({ 'encoder-busy': 1 });
    expect(epochWith(30, interrupted(25, 21))).toMatchObject({ balanced: true, captured: 30 });
  });

  it('does not add up where something that was acknowledged is not there', () => {
    expect(epochWith(20, interrupted(25, 21)).balanced).toBe(false);
  });
});

it('counts results that say that their head did not run, or is not wanted', () => {
  const balance = new Balance();
  for (const task of TASKS) balance.result(task, frame(0));
  balance.shed('segmentation', frame(0));
  balance.unwanted('classification', frame(0));
  balance.frame(frame(0));
  balance.status(final(1, 1));
  const [epoch] = balance.report().epochs;
  expect(balance.report().balanced).toBe(true);
  expect(epoch?.heads.map(({ results, shed, unwanted }) => [results, shed, unwanted])).toEqual([
    [1, 0, 1],
    [1, 0, 0],
    [1, 1, 0],
  ]);
});
