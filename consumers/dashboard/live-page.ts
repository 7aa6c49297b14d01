import { LIMITS } from '#runtime/limits.ts';
import type { ClientMessage, WallError } from './protocol.ts';

/** What a page's connection is here: a WebSocket. */
export interface LiveSocket {
  /** Bytes that were sent and have not left for the network yet. */
  readonly bufferedAmount: number;
  send(text: string): void;
}

/** Newest results of a camera, and how many there have been. */
export interface NewestResults {
  readonly version: number;
  /** JSON of `CameraResults`; undefined before the first. */
  readonly text: () => string | undefined;
}

export interface PageNews {
  /** JSON of the `FleetMessage`, and which one it is. */
  readonly fleet: { readonly version: number; readonly text: string };
  readonly rowsAfter: (version: number) => {
    readonly rows: readonly string[];
    readonly gone: readonly string[];
    readonly version: number;
  };
  readonly newestOf: (cameraId: string) => NewestResults | undefined;
}

/** What one call of `send` did. */
export interface Sent {
  readonly results: number;
  /** Results that were never sent to this page, since newer ones had come. */
  readonly passedOver: number;
}

/**
 * One page: what it watches, and what it has been sent. It is never sent what it could not take by
 * now: what has changed meanwhile, it gets as it is then, once.
 */
export class LivePage {
  readonly #socket: LiveSocket;
  /** By camera: the version of the results that were sent last; undefined: none yet. */
  #watched = new Map<string, number | undefined>();
  #fleetVersion = 0;
  #rowsVersion = 0;

  constructor(socket: LiveSocket) {
    this.#socket = socket;
  }

  get watched(): Iterable<string> {
    return this.#watched.keys();
  }

  /** Whether it has read enough of what it was sent. */
  get canTake(): boolean {
    return this.#socket.bufferedAmount <= LIMITS.wallUnsentBytesMax;
  }

  /** Replaces what was watched. */
  watch(cameraIds: readonly string[]): void {
    this.#watched = new Map(cameraIds.map((id) => [id, this.#watched.get(id)]));
  }

  refuse(error: WallError): void {
    // Whoever reads nothing and writes a lot is not answered.
    if (this.canTake) this.#socket.send(JSON.stringify({ type: 'refused', error }));
  }

  send(news: PageNews): Sent {
    if (news.fleet.version > this.#fleetVersion) {
      this.#fleetVersion = news.fleet.version;
      this.#socket.send(news.fleet.text);
    }
    const { rows, gone, version } = news.rowsAfter(this.#rowsVersion);
    this.#rowsVersion = version;
    if (rows.length > 0) this.#socket.send(`{"type":"cameras","cameras":[${rows.join(',')}]}`);
    if (gone.length > 0) {
      this.#socket.send(JSON.stringify({ type: 'gone', cameraIds: gone }));
    }
    return this.#sendResults(news);
  }

  #sendResults({ newestOf }: PageNews): Sent {
    const texts: string[] = [];
    let passedOver = 0;
    for (const [cameraId, sent] of this.#watched) {
      const newest = newestOf(cameraId);
      const text = newest?.version === sent ? undefined : newest?.text();
      if (newest === undefined || text === undefined) continue;
      texts.push(text);
      if (sent !== undefined) passedOver += newest.version - sent - 1;
      this.#watched.set(cameraId, newest.version);
    }
    if (texts.length > 0) {
      this.#socket.send(`{"type":"results","cameras":[${texts.join(',')}]}`);
    }
    return { results: texts.length, passedOver };
  }
}

/** Reads what a page says; a `WallError` where it cannot be followed. */
export function readClientMessage(text: string): ClientMessage | WallError {
  if (Buffer.byteLength(text) > LIMITS.wallMessageBytesMax) {
    const message = `a message may have ${LIMITS.wallMessageBytesMax} bytes.`;
    return { code: 'message-too-large', message, advice: 'Watch fewer cameras at a time.' };
  }
  const value = parseOrUndefined(text);
  const { type, cameraIds } = (value ?? {}) as Partial<Record<string, unknown>>;
  const isList = Array.isArray(cameraIds) && cameraIds.every((id) => typeof id === 'string');
  if (type !== 'watch' || !isList) {
    return {
      code: 'message-invalid',
      message: 'this is no message that the server knows.',
      advice: 'Send {"type":"watch","cameraIds":["..."]}.',
    };
  }
  if (cameraIds.length > LIMITS.wallWatchedMax) {
    const message = `${cameraIds.length} cameras are more than one page may watch.`;
    const advice = `Name at most ${LIMITS.wallWatchedMax}: those in view.`;
    return { code: 'watched-too-many', message, advice };
  }
  return { type, cameraIds };
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
