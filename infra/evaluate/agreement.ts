/** On how many pictures two classifiers say the same. */
export class AgreementTally {
  #same = 0;
  #pictures = 0;

  /** Class ids. A picture that one of them says nothing of is not counted. */
  add(expected: number | undefined, actual: number | undefined): void {
    if (expected === undefined || actual === undefined) return;
    this.#pictures++;
    if (expected === actual) this.#same++;
  }

  /** Undefined where no picture was counted. */
  share(): number | undefined {
    return this.#pictures === 0 ? undefined : this.#same / this.#pictures;
  }
}
