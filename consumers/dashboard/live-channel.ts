import type { Cancel, Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { LivePage, type LiveSocket, type PageNews, readClientMessage } from './live-page.ts';
import type { FleetMessage, HelloMessage } from './protocol.ts';
import type { Telemetry } from './telemetry.ts';
import type { WallState } from './wall-state.ts';

export interface LiveChannelOptions {
  readonly state: WallState;
  /** Of now. */
  readonly summarise: () => FleetMessage;
  readonly greeting: Pick<HelloMessage, 'version' | 'prefix' | 'heads'>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/**
 * Tells all pages that are open what is new: four times a second the results that they watch, once
 * a second the fleet and the rows that changed. A page that reads too slowly is passed over until
 * it has read; nothing is kept for it meanwhile.
 */
export class LiveChannel {
  readonly #options: LiveChannelOptions;
  readonly #pages = new Set<LivePage>();
  #fleet = { version: 0, text: '' };
  #cancels: readonly Cancel[] = [];

  constructor(options: LiveChannelOptions) {
    this.#options = options;
  }

  get pageCount(): number {
    return this.#pages.size;
  }

  start(): void {
    const { clock } = this.#options;
    this.#cancels = [
      clock.every(LIMITS.wallTellIntervalMs, () => this.summarise()),
      clock.every(LIMITS.wallResultsIntervalMs, () => this.tell()),
    ];
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel();
  }

  open(socket: LiveSocket): LivePage {
    const { telemetry } = this.#options;
    const page = new LivePage(socket);
    this.#pages.add(page);
    telemetry.count('pages-opened');
    socket.send(JSON.stringify(this.#hello()));
    page.send(this.#news());
    return page;
  }

  close(page: LivePage): void {
    this.#pages.delete(page);
  }

  /** A message of a page. */
  receive(page: LivePage, text: string): void {
    const message = readClientMessage(text);
    if ('code' in message) {
      this.#options.telemetry.count('messages-refused');
      page.refuse(message);
      return;
    }
    const { state } = this.#options;
    const known = message.cameraIds.filter((id) => state.camera(id) !== undefined);
    page.watch(known);
    const unknown = message.cameraIds.filter((id) => state.camera(id) === undefined);
    if (unknown.length === 0) return;
    const more = unknown.length > 1 ? ` and ${unknown.length - 1} more are` : ' is';
    page.refuse({
      code: 'camera-unknown',
      message: `${unknown[0]?.slice(0, LIMITS.cameraIdLengthMax)}${more} not known here.`,
      advice: 'Watch cameras that have a row: others have said nothing yet.',
    });
  }

  /** Of now: also between the times, where something happened that everybody should know. */
  summarise(): void {
    const { state, summarise, clock } = this.#options;
    const watched = new Set([...this.#pages].flatMap((page) => [...page.watched]));
    state.tellRows((cameraId) => watched.has(cameraId), clock.nowUs() / 1000);
    this.#fleet = { version: this.#fleet.version + 1, text: JSON.stringify(summarise()) };
  }

  tell(): void {
    const { telemetry } = this.#options;
    const news = this.#news();
    for (const page of this.#pages) {
      if (!page.canTake) {
        telemetry.count('ticks-skipped');
        continue;
      }
      const { results, passedOver } = page.send(news);
      telemetry.count('results-sent', results);
      telemetry.count('results-passed-over', passedOver);
    }
  }

  #hello(): HelloMessage {
    const { greeting, clock } = this.#options;
    const { wallWatchedMax: watchedMax } = LIMITS;
    return { type: 'hello', ...greeting, nowUs: clock.nowUs(), watchedMax };
  }

  #news(): PageNews {
    const { state } = this.#options;
    if (this.#fleet.version === 0) this.summarise();
    return {
      fleet: this.#fleet,
      rowsAfter: (version) => state.rows.after(version),
      newestOf: (cameraId) => {
        const view = state.camera(cameraId);
        return view && { version: view.resultsVersion, text: () => view.resultsText() };
      },
    };
  }
}
