/** Category ids of labels whose own number another label has. */
const FIRST_FREE_ID = 100_000;

/**
 * The categories of a COCO file: one a label. Its id is the number that its head gives it; results
 * of two heads may be in one file, and where their numbers clash, the label that comes later has an
 * id of its own.
 */
export class Categories {
  readonly #idOfLabel = new Map<string, number>();
  readonly #taken = new Set<number>();

  idOf({ classId, label }: { readonly classId: number; readonly label: string }): number {
    const known = this.#idOfLabel.get(label);
    if (known !== undefined) return known;
    let id = classId;
    while (this.#taken.has(id)) id = Math.max(id + 1, FIRST_FREE_ID);
    this.#taken.add(id);
    this.#idOfLabel.set(label, id);
    return id;
  }

  list(): readonly { readonly id: number; readonly name: string }[] {
    const all = [...this.#idOfLabel].map(([name, id]) => ({ id, name }));
    return all.sort((a, b) => a.id - b.id);
  }
}
