import { beforeEach, describe, expect, it } from 'vitest';
import { ConsumersJudge } from '#consumers/dashboard/consumers-judge.ts';
import { LagBook } from '#consumers/dashboard/lag-book.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';

const START_MS = 1_700_000_000_000;

/** A frame topic with its inference group, looked at once a second. */
class Topic {
  readonly judge: ConsumersJudge;
  readonly #lags = new LagBook();
  readonly #ends: number[];
  readonly #committed: (number | undefined)[];
  /** Undefined: Kafka does not say. */
  members: readonly string[] | undefined;
  nowMs = START_MS;

  constructor(partitions: number, committed: number | undefined, members?: readonly string[]) {
    this.members = members;
    this.judge = new ConsumersJudge(this.nowMs);
    this.#ends = new Array(partitions).fill(10);
    this.#committed = new Array(partitions).fill(committed);
  }

  get state(): string {
    return this.judge.verdict.state;
  }

  publish(frames: number, partition?: number): void {
    this.#ends.forEach((end, at) => {
      if (partition === undefined || at === partition) this.#ends[at] = end + frames;
    });
  }

  /** Of all partitions but those. */
  answerAll(but: readonly number[] = []): void {
    this.#ends.forEach((end, at) => {
      if (!but.includes(at)) this.#committed[at] = end;
    });
  }

  commit(partition: number, offset: number): void {
    this.#committed[partition] = offset;
  }

  look(): string {
    this.nowMs += LIMITS.wallTellIntervalMs;
    const ends = this.#ends.map((high, partition) => ({ partition, low: 0, high }));
    const committed = new Map(
      this.#committed.flatMap((offset, at) => (offset === undefined ? [] : [[at, offset]])),
    );
    const members = this.members && new Set(this.members);
    this.judge.look(this.#lags.look({ ends, committed }, this.nowMs), this.nowMs, members);
    return this.state;
  }

  /** Consumers that answer everything each so many seconds, while frames come each second. */
  answerEach(pauseSeconds: number, times: number): string[] {
    const states: string[] = [];
    for (let second = 1; second <= pauseSeconds * times; second++) {
      this.publish(2);
      if (second % pauseSeconds === 0) this.answerAll();
      states.push(this.look());
    }
    return states;
  }

  /** Seconds from now until consumers that answer nothing are called silent. */
  untilSilent(): number {
    const fromMs = this.nowMs;
    while (this.state !== 'silent' && this.nowMs - fromMs < 120_000) {
      this.publish(2);
      this.look();
    }
    return (this.nowMs - fromMs) / 1000;
  }

  /** Seconds in which frames come and are answered, in all partitions but those. */
  run(seconds: number, silent: readonly number[] = []): string {
    for (let second = 0; second < seconds; second++) {
      this.publish(2);
      this.answerAll(silent);
      this.look();
    }
    return this.state;
  }
}

describe('ConsumersJudge', () => {
  let topic: Topic;
  beforeEach(() => {
    topic = new Topic(4, 10);
  });

  it('knows nothing before the first look, and finds nothing to do without frames', () => {
    expect(topic.state).toBe('unknown');
    expect(topic.look()).toBe('idle');
    expect(topic.run(3)).toBe('answering');
  });

  it('tells within five seconds of a killed consumer, and that a new one answers', () => {
    topic.run(10);
    const killedMs = topic.nowMs;
    while (topic.state !== 'silent') {
      topic.publish(2);
      topic.look();
      expect(topic.nowMs - killedMs).toBeLessThanOrEqual(LIMITS.wallSilentToldMs);
    }
    const { sinceUs, detail } = topic.judge.verdict;
    expect(sinceUs).toBe(killedMs * 1000);
    expect(detail).toMatch(/^\d+ frames wait, and none was answered for [345] s\.$/);
    topic.answerAll();
    expect(topic.look()).toBe('answering');
    expect(topic.judge.verdict.sinceUs).toBe(topic.nowMs * 1000);
  });

  it('is content with results where commits are not seen', () => {
    topic.run(5);
    for (let second = 0; second < 10; second++) {
      topic.publish(1);
      for (const partition of [0, 1, 2, 3]) topic.judge.answered(partition, topic.nowMs);
      topic.look();
    }
    expect(topic.state).toBe('behind');
  });

  it('tells that nobody has ever answered', () => {
    const fresh = new Topic(2, undefined);
    fresh.look();
    for (let second = 0; second < 6; second++) {
      fresh.publish(1);
      fresh.look();
    }
    expect(fresh.state).toBe('silent');
    expect(fresh.judge.verdict.detail).toMatch(/nobody has answered any since this server looks/);
    fresh.answerAll();
    expect(fresh.look()).toBe('answering');
  });

  it('tells partitions that nobody answers while others are answered', () => {
    topic.run(5);
    expect(topic.run(6, [1, 3])).toBe('behind');
    expect(topic.judge.verdict.detail).toMatch(/^Nobody answers 2 of 4 partitions, for \d s\.$/);
    expect(topic.run(2)).toBe('answering');
  });

  it('tells how old the oldest frame is where consumers cannot keep up, and when they can', () => {
    topic.run(2);
    // Every second brings ten frames, and nine are answered.
    let committed = 14;
    for (let second = 0; second < 60 && topic.state !== 'behind'; second++) {
      topic.publish(10, 0);
      committed += 7;
      topic.commit(0, committed);
      topic.look();
    }
    expect(topic.judge.verdict).toMatchObject({
      state: 'behind',
      detail: 'The oldest frame waits for 3 s.',
    });
    // They stay behind until it is less than half of that.
    topic.commit(0, committed + 3);
    expect(topic.look()).toBe('behind');
    topic.answerAll();
    expect(topic.look()).toBe('answering');
  });

  it('tells of one frame that nobody answers, where cameras give one in ten seconds', () => {
    topic.members = ['a'];
    for (let frame = 0; frame < 3; frame++) {
      topic.publish(1, frame);
      topic.look();
      topic.answerAll();
      for (let second = 0; second < 9; second++) topic.look();
    }
    topic.publish(1, 0);
    const killedMs = topic.nowMs;
    while (topic.look() !== 'silent') {
      expect(topic.nowMs - killedMs).toBeLessThanOrEqual(LIMITS.wallSilentToldMs);
    }
    expect(topic.judge.verdict.detail).toMatch(
      /^1 frame waits, and none was answered for \d+ s\.$/,
    );
  });

  it('has patience with consumers that compute for long, and has learned it', () => {
    const slow = new Topic(4, 10, ['a']);
    for (const pause of [4, 6, 8, 9]) expect(slow.answerEach(pause, 5)).not.toContain('silent');
    // One and a half of their longest pauses, and what looks take.
    expect(slow.untilSilent()).toBeLessThanOrEqual(16);
    slow.answerAll();
    expect(slow.look()).toBe('answering');
    // What was long ago does not count.
    slow.run(150);
    expect(slow.untilSilent()).toBeLessThanOrEqual(LIMITS.wallSilentToldMs / 1000);
  });

  it('does not learn patience from a consumer that was killed and started again', () => {
    topic.members = ['a'];
    topic.run(10);
    expect(topic.untilSilent()).toBeLessThanOrEqual(5);
    topic.members = ['a', 'b'];
    for (let second = 0; second < 8; second++) {
      topic.publish(2);
      expect(topic.look(), 'until somebody answers').toBe('silent');
    }
    topic.members = ['b'];
    topic.answerAll();
    expect(topic.look()).toBe('answering');
    topic.run(3);
    expect(topic.untilSilent()).toBeLessThanOrEqual(5);
  });

  it('does not take the first answer of new members for their pace', () => {
    topic.members = ['a'];
    topic.run(5);
    topic.members = [];
    topic.untilSilent();
    topic.members = ['b'];
    for (let second = 0; second < 5; second++) {
      topic.publish(2);
      topic.look();
    }
    // The result comes before the look at which its commit is seen.
    topic.judge.answered(0, topic.nowMs + 500);
    topic.answerAll();
    expect(topic.look()).toBe('answering');
    expect(topic.answerEach(9, 3)).not.toContain('silent');
  });

  it('tells at once that nobody is in the group any more', () => {
    topic.members = ['a'];
    topic.answerEach(9, 3);
    topic.members = [];
    expect(topic.untilSilent()).toBeLessThanOrEqual(3);
    expect(topic.judge.verdict.detail).toMatch(/ Nobody is in their group\.$/);
  });

  it('does not blame members that are new before one that was killed would be gone', () => {
    const fresh = new Topic(2, 10, ['a']);
    const seconds = fresh.untilSilent();
    expect(seconds).toBeGreaterThan(LIMITS.sessionTimeoutMs / 1000);
    expect(seconds).toBeLessThanOrEqual(LIMITS.wallNewMembersMs / 1000 + 2);
  });

  it('blames nobody for a time in which it did not look', () => {
    topic.members = ['a'];
    topic.run(5);
    topic.publish(20);
    topic.nowMs += 20_000;
    expect(topic.look()).not.toBe('silent');
    topic.answerAll();
    expect(topic.look()).toBe('answering');
  });

  it('never calls slow ones silent, and tells of killed ones by their group at the latest', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const slow = new Topic(1 + random.integer(6), 10, ['a', 'b']);
      const slowest = 1 + random.integer(8);
      // Pauses of any length up to the slowest, which comes first: none is longer than was seen.
      const pauses = [slowest, ...Array.from({ length: 30 }, () => 1 + random.integer(slowest))];
      for (const pause of pauses) {
        expect(slow.answerEach(pause, 1), `seed ${seed}`).not.toContain('silent');
      }
      const killedMs = slow.nowMs;
      for (let second = 1; slow.state !== 'silent'; second++) {
        slow.publish(1);
        if (1000 * second >= LIMITS.sessionTimeoutMs) slow.members = [];
        slow.look();
        const boundMs = Math.min(
          Math.max(LIMITS.wallSilentAfterMs, LIMITS.wallPauseFactor * 1000 * slowest),
          LIMITS.sessionTimeoutMs,
        );
        expect(slow.nowMs - killedMs, `seed ${seed}`).toBeLessThanOrEqual(boundMs + 2_500);
      }
    }
  });

  it('does not call slow cameras silent', () => {
    for (let frame = 0; frame < 5; frame++) {
      topic.publish(1, 0);
      topic.look();
      topic.answerAll();
      for (let second = 0; second < 9; second++) {
        expect(['answering', 'idle']).toContain(topic.look());
      }
    }
  });

  it('says that it does not know while Kafka does not answer', () => {
    topic.run(3);
    topic.judge.lose('Kafka does not answer.', topic.nowMs);
    expect(topic.judge.verdict).toMatchObject({
      state: 'unknown',
      detail: 'Kafka does not answer.',
    });
    expect(topic.run(1)).toBe('answering');
  });
});
