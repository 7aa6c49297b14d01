import { type Signal, signal } from '@preact/signals';
import type {
  CameraResults,
  CameraRow,
  FleetMessage,
  HelloMessage,
  ServerMessage,
} from '../protocol.ts';

/** How the page and its server are connected; times are of the page's own clock, ms. */
export type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'open' }
  | { readonly state: 'lost'; readonly sinceMs: number; readonly retryAtMs: number };

/** A server with thousands of cameras tells of them one thousand a second. */
const CONFIRM_SECONDS = 10;

/** One camera has something new to be drawn. */
export type ResultListener = (results: CameraResults) => void;

/**
 * What the page knows. A row is a signal of its own: what shows one camera is told of that one, and
 * a thousand rows that nobody looks at cost a thousand assignments.
 */
export class WallStore {
  readonly link = signal<Link>({ state: 'connecting' });
  readonly hello = signal<HelloMessage | undefined>(undefined);
  readonly fleet = signal<FleetMessage | undefined>(undefined);
  /** The server's clock, ms; moves with `tick`. */
  readonly nowMs = signal(0);
  /** The page's clock, ms; the same. */
  readonly pageMs = signal(0);
  /** Counts changes of which cameras there are. */
  readonly membership = signal(0);

  readonly #rows = new Map<string, Signal<CameraRow>>();
  readonly #results = new Map<string, CameraResults>();
  readonly #listeners = new Map<string, Set<ResultListener>>();
  #serverAheadMs = 0;
  /** Rows of the connection before that this one has not told of, and for how long they stay. */
  #unconfirmed = new Set<string>();
  #confirmSeconds = 0;

  enter(message: ServerMessage, pageMs: number): void {
    switch (message.type) {
      case 'hello':
        this.#setClock(message.nowUs, pageMs);
        this.#unconfirmed = new Set(this.#rows.keys());
        this.#confirmSeconds = CONFIRM_SECONDS;
        this.hello.value = message;
        break;
      case 'fleet':
        this.#setClock(message.nowUs, pageMs);
        this.fleet.value = message;
        this.#confirm();
        break;
      case 'cameras':
        this.#enterRows(message.cameras);
        break;
      case 'gone':
        for (const id of message.cameraIds) this.#forget(id);
        this.membership.value += 1;
        break;
      case 'results':
        for (const results of message.cameras) this.#enterResults(results);
        break;
      case 'refused':
        break;
    }
  }

  tick(pageMs: number): void {
    this.pageMs.value = pageMs;
    this.nowMs.value = pageMs + this.#serverAheadMs;
  }

  row(cameraId: string): Signal<CameraRow> | undefined {
    return this.#rows.get(cameraId);
  }

  rows(): CameraRow[] {
    return [...this.#rows.values()].map((row) => row.peek());
  }

  results(cameraId: string): CameraResults | undefined {
    return this.#results.get(cameraId);
  }

  /** Returns what ends it. */
  onResults(cameraId: string, listener: ResultListener): () => void {
    const listeners = this.#listeners.get(cameraId) ?? new Set();
    this.#listeners.set(cameraId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(cameraId);
    };
  }

  #setClock(serverUs: number, pageMs: number): void {
    this.#serverAheadMs = serverUs / 1_000 - pageMs;
    this.tick(pageMs);
  }

  #enterRows(cameras: readonly CameraRow[]): void {
    let isChanged = false;
    for (const camera of cameras) {
      this.#unconfirmed.delete(camera.cameraId);
      const row = this.#rows.get(camera.cameraId);
      if (row === undefined) {
        this.#rows.set(camera.cameraId, signal(camera));
        isChanged = true;
      } else {
        row.value = camera;
      }
    }
    if (isChanged) this.membership.value += 1;
  }

  #confirm(): void {
    if (this.#unconfirmed.size === 0) return;
    this.#confirmSeconds -= 1;
    if (this.#confirmSeconds > 0) return;
    for (const id of this.#unconfirmed) this.#forget(id);
    this.#unconfirmed.clear();
    this.membership.value += 1;
  }

  #enterResults(results: CameraResults): void {
    this.#results.set(results.cameraId, results);
    for (const listener of this.#listeners.get(results.cameraId) ?? []) listener(results);
  }

  #forget(cameraId: string): void {
    this.#rows.delete(cameraId);
    this.#results.delete(cameraId);
  }
}
