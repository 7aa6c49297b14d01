import type { Cancel, Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { ClientMessage, ServerMessage } from '../protocol.ts';
import type { WallStore } from './store.ts';

/** What a WebSocket is here. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LiveOptions {
  readonly store: WallStore;
  readonly clock: Clock;
  readonly open: () => Socket;
  /** A connection ended before it was open: the server may want a token. */
  readonly onRefused: () => void;
}

/**
 * The connection to the server:
 *
 *   connecting --open--> open --closed, or silent for too long--> lost --pause--> connecting
 *
 * The pause doubles from one failed attempt to the next, and begins anew when messages came.
 */
export class LiveChannel {
  readonly #options: LiveOptions;
  #socket: Socket | undefined;
  #watched: readonly string[] = [];
  #told = '';
  /** When the server last said anything, or was last called. */
  #heardMs = 0;
  #pauseMs: number = LIMITS.wallReconnectDelayMsMin;
  #lostSinceMs: number | undefined;
  #cancelRetry: Cancel = () => undefined;
  #cancelTicks: Cancel = () => undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    this.#cancelTicks = clock.every(1_000, () => this.#tick());
    this.#connect();
  }

  stop(): void {
    this.#cancelTicks();
    this.#cancelRetry();
    this.#drop();
  }

  /** Now, not after the pause. */
  retry(): void {
    if (this.#options.store.link.peek().state !== 'lost') return;
    this.#cancelRetry();
    this.#connect();
  }

  /** The cameras whose results are wanted from now on. Ones that have no row yet are told later. */
  watch(cameraIds: readonly string[]): void {
    this.#watched = cameraIds;
    this.#tellWatched();
  }

  #connect(): void {
    const { store, open } = this.#options;
    this.#drop();
    this.#heardMs = this.#nowMs();
    const socket = open();
    let isOpen = false;
    this.#socket = socket;
    this.#told = '';
    // Whoever is told that the connection is lost is told so until it is back.
    if (this.#lostSinceMs === undefined) store.link.value = { state: 'connecting' };
    socket.onopen = () => {
      isOpen = true;
    };
    socket.onmessage = ({ data }) => this.#enter(JSON.parse(String(data)) as ServerMessage);
    socket.onclose = () => {
      if (!isOpen) this.#options.onRefused();
      this.#lose();
    };
  }

  #enter(message: ServerMessage): void {
    const { store } = this.#options;
    this.#heardMs = this.#nowMs();
    store.enter(message, this.#heardMs);
    if (message.type === 'hello') {
      this.#pauseMs = LIMITS.wallReconnectDelayMsMin;
      this.#lostSinceMs = undefined;
      store.link.value = { state: 'open' };
    }
    if (message.type === 'hello' || message.type === 'cameras') this.#tellWatched();
  }

  #tellWatched(): void {
    const { store } = this.#options;
    const max = store.hello.peek()?.watchedMax;
    if (max === undefined || store.link.peek().state !== 'open') return;
    const cameraIds = this.#watched.filter((id) => store.row(id) !== undefined).slice(0, max);
    const message: ClientMessage = { type: 'watch', cameraIds };
    const text = JSON.stringify(message);
    if (text === this.#told) return;
    this.#told = text;
    this.#socket?.send(text);
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    this.#options.store.tick(nowMs);
    const isSilent = nowMs - this.#heardMs > LIMITS.wallServerSilentMs;
    if (this.#socket !== undefined && isSilent) this.#lose();
  }

  #lose(): void {
    const { store, clock } = this.#options;
    this.#drop();
    const nowMs = this.#nowMs();
    this.#lostSinceMs ??= nowMs;
    const retryAtMs = nowMs + this.#pauseMs;
    store.link.value = { state: 'lost', sinceMs: this.#lostSinceMs, retryAtMs };
    this.#cancelRetry = clock.after(this.#pauseMs, () => this.#connect());
    this.#pauseMs = Math.min(2 * this.#pauseMs, LIMITS.wallReconnectDelayMsMax);
  }

  #drop(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #nowMs(): number {
    return this.#options.clock.nowUs() / 1_000;
  }
}
