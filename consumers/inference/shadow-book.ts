import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import { type HeadShadow, headShadowKey } from '#schemas/head-shadow.ts';
import type { Task } from '#schemas/result.ts';
import type { ShadowListener, ShadowOutputs } from './engine.ts';
import {
  type BatchOutput,
  type EngineSettings,
  intervalMs,
  type ShadowOutput,
} from './engine-protocol.ts';
import { diffFindings } from './shadow-diff.ts';
import type { Telemetry } from './telemetry.ts';

export interface ShadowBookOptions {
  readonly bundle: Bundle;
  /** Names this process in what it publishes. */
  readonly consumer: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** Figures of a pair of heads, the record that tells them before its last change. */
interface Tally {
  figures: HeadShadow;
  isTold: boolean;
}

/**
 * How heads in shadow compare with the live ones, in this process and since it first ran both. An
 * engine's shadows have a listener of their own, so what a former engine still says is entered for
 * the heads that it had.
 */
export class ShadowBook {
  readonly #options: ShadowBookOptions;
  readonly #tallies = new Map<string, Tally>();

  constructor(options: ShadowBookOptions) {
    this.#options = options;
  }

  listenerOf(settings: EngineSettings): ShadowListener {
    const tallies = new Map<Task, Tally>();
    const { logger } = this.#options;
    const placed = Object.entries(settings.shadows ?? {}) as [Task, { directory: string }][];
    for (const [task] of placed) tallies.set(task, this.#tallyOf(task, settings));
    return {
      onBatch: (live, outputs) => {
        for (const [task, tally] of tallies) this.#enter(task, tally, live, outputs);
      },
      onRefused: (refused) => {
        for (const [task, { directory }] of placed) {
          const one = refused.find((candidate) => candidate.directory === directory);
          if (one === undefined || !tallies.delete(task)) continue;
          logger.error('head-refused', { task, role: 'shadow', directory, error: one.message });
        }
      },
    };
  }

  /** What has changed since it was last told. */
  untold(): readonly HeadShadow[] {
    const tallies = [...this.#tallies.values()].filter(({ isTold }) => !isTold);
    return tallies.map(({ figures }) => figures);
  }

  /** They are published. */
  told(figures: readonly HeadShadow[]): void {
    for (const one of figures) {
      const tally = this.#tallies.get(headShadowKey(one));
      if (tally?.figures === one) tally.isTold = true;
    }
  }

  #tallyOf(task: Task, { replacements, shadows }: EngineSettings): Tally {
    const { bundle, consumer, clock } = this.#options;
    const own = bundle.manifest.heads.find((head) => head.task === task);
    const live = replacements?.[task] ?? { version: defined(own, task).version, digest: '' };
    const shadow = defined(shadows?.[task], `shadow of ${task}`);
    const figures: HeadShadow = {
      task,
      liveVersion: live.version,
      liveDigest: live.digest,
      shadowVersion: shadow.version,
      shadowDigest: shadow.digest,
      bundleDigest: bundle.digest,
      consumer,
      frames: 0,
      leftOut: 0,
      failed: 0,
      sums: {},
      sinceTimeUs: clock.nowUs(),
      timeUs: clock.nowUs(),
    };
    const key = headShadowKey(figures);
    const tally = this.#tallies.get(key) ?? { figures, isTold: true };
    this.#tallies.set(key, tally);
    return tally;
  }

  #enter(task: Task, tally: Tally, live: BatchOutput, outputs: ShadowOutputs): void {
    const { clock, telemetry } = this.#options;
    const { figures } = tally;
    const count = live.frames.length;
    // A shadow whose live head was shed has nothing to be compared with.
    const output =
      typeof outputs === 'string'
        ? outputs
        : (outputs.find((one) => one.task === task) ?? 'left-out');
    const entered = { frames: 0, leftOut: 0, failed: 0, sums: { ...figures.sums } };
    if (output === 'left-out') entered.leftOut = count;
    else if (output === 'failed' || 'error' in output) entered.failed = count;
    else entered.frames = addDiffs(entered.sums, live, output);
    telemetry.count('frames-shadowed', entered.frames);
    telemetry.count('frames-shadow-left-out', entered.leftOut);
    telemetry.count('frames-shadow-failed', entered.failed);
    tally.isTold = false;
    tally.figures = {
      ...figures,
      frames: figures.frames + entered.frames,
      leftOut: figures.leftOut + entered.leftOut,
      failed: figures.failed + entered.failed,
      sums: entered.sums,
      timeUs: clock.nowUs(),
    };
  }
}

/** Adds to the sums; returns how many frames there was something to compare of. */
function addDiffs(
  sums: Record<string, number>,
  live: BatchOutput,
  shadow: Extract<ShadowOutput, { readonly findings: unknown }>,
): number {
  const add = (name: string, value: number) => {
    sums[name] = (sums[name] ?? 0) + value;
  };
  let count = 0;
  let liveMs = 0;
  for (const [index, frame] of live.frames.entries()) {
    // What could not be decoded was run as a latent of zeros.
    if ('refusal' in frame) continue;
    const place = frame.findings.findIndex(({ task }) => task === shadow.task);
    const [one, other] = [frame.findings[place], shadow.findings[index]];
    if (one === undefined || other === undefined) continue;
    for (const [name, value] of Object.entries(diffFindings(one, other))) add(name, value);
    liveMs = intervalMs(defined(live.heads[place], 'the interval of a head that ran'));
    count++;
  }
  if (count === 0) return 0;
  // A host's clock may be set back.
  add('live_ms', Math.max(0, liveMs));
  add('shadow_ms', Math.max(0, intervalMs(shadow.interval)));
  return count;
}
