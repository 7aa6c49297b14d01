/**
 * One lookup at a time: who asks while one is under way shares the next, which begins after all of
 * them have asked. So an answer is never older than the question, and a hundred who ask at once
 * cost two lookups.
 */
export class SharedLookup<Answer> {
  readonly #look: () => Promise<Answer>;
  #underWay: Promise<unknown> | undefined;
  #next: Promise<Answer> | undefined;

  constructor(look: () => Promise<Answer>) {
    this.#look = look;
  }

  /** Rejects as the lookup does, for all who share it. */
  ask(): Promise<Answer> {
    this.#next ??= this.#begin();
    return this.#next;
  }

  async #begin(): Promise<Answer> {
    await this.#underWay?.catch(() => undefined);
    this.#next = undefined;
    const answer = this.#look();
    this.#underWay = answer;
    return await answer;
  }
}
