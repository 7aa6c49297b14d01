import { beforeEach, describe, expect, it } from 'vitest';
import { ConsumersJudge } from '#consumers/dashboard/consumers-judge.ts';
import { LagBook } from '#consumers/dashboard/lag-book.ts';
import { LIMITS } from '#runtime/limits.ts';

const START_MS = 1_700_000_000_000;

/** A frame topic with its inference group, looked at once a second. */
class Topic {
  readonly judge: ConsumersJudge;
  readonly #lags = new LagBook();
  readonly #ends: number[];
  readonly #committed: (number | undefined)[];
  nowMs = START_MS;

  constructor(partitions: number, committed: number | undefined) {
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
    this.judge.look(this.#lags.look({ ends, committed }, this.nowMs), this.nowMs);
    return this.state;
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

  it('does not take the marker of a redrive for a frame that waits', () => {
    topic.run(3);
    topic.publish(1, 2);
    for (let second = 0; second < 10; second++) topic.look();
    expect(topic.state).toBe('idle');
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
