/** Those who wait until a stage holds no frame of a camera. */
export class SettledWaits {
  readonly #holds: (cameraId: string) => boolean;
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(holds: (cameraId: string) => boolean) {
    this.#holds = holds;
  }

  until(cameraId: string): Promise<void> {
    if (!this.#holds(cameraId)) return Promise.resolve();
    return new Promise((resolve) => {
      const others = this.#waiting.get(cameraId) ?? [];
      this.#waiting.set(cameraId, [...others, resolve]);
    });
  }

  /** To be called whenever frames have left the stage. */
  look(): void {
    for (const [cameraId, resolves] of this.#waiting) {
      if (this.#holds(cameraId)) continue;
      this.#waiting.delete(cameraId);
      for (const resolve of resolves) resolve();
    }
  }
}
