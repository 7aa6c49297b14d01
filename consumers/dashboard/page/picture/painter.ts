/** Something that can be drawn anew. */
export interface Paintable {
  repaint(): void;
}

/**
 * The page's one loop of animation frames. It turns only while something is to be drawn; what
 * changed more than once since the last frame is drawn once.
 */
export class Painter {
  readonly #nextFrame: (draw: () => void) => void;
  readonly #dirty = new Set<Paintable>();
  /** Pictures drawn since the page was opened. */
  drawn = 0;

  constructor(nextFrame: (draw: () => void) => void) {
    this.#nextFrame = nextFrame;
  }

  request(paintable: Paintable): void {
    if (this.#dirty.size === 0) this.#nextFrame(() => this.#draw());
    this.#dirty.add(paintable);
  }

  forget(paintable: Paintable): void {
    this.#dirty.delete(paintable);
  }

  #draw(): void {
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const paintable of dirty) paintable.repaint();
    this.drawn += dirty.length;
  }
}
