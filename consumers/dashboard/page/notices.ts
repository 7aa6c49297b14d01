import type { FleetMessage } from '../protocol.ts';
import type { Link } from './store.ts';
import { agoText, clockText, durationText } from './text.ts';

/** Something that whoever looks must know. */
export interface Notice {
  readonly key: string;
  readonly severity: 'warning' | 'critical';
  readonly text: string;
  /** What changes by the second, so that nobody has it read out each time. */
  readonly detail: string;
  readonly cameraId?: string;
}

export interface NoticeFacts {
  readonly link: Link;
  readonly fleet: FleetMessage | undefined;
  /** The server's clock, and the page's own. */
  readonly nowMs: number;
  readonly pageMs: number;
}

/** The worst first; empty if all is well. */
export function noticesOf({ link, fleet, nowMs, pageMs }: NoticeFacts): Notice[] {
  if (link.state === 'lost') {
    const wait = Math.ceil((link.retryAtMs - pageMs) / 1_000);
    const next = wait > 0 ? `Trying again in ${wait} s.` : 'Trying again.';
    const since = clockText(link.sinceMs);
    return [
      {
        key: 'link',
        severity: 'critical',
        text: `No connection to the server since ${since}: what is shown is from then.`,
        detail: next,
      },
    ];
  }
  if (fleet === undefined) return [];
  return fleet.troubles.map(({ severity, text, sinceUs, cameraId }) => ({
    key: `${cameraId ?? ''} ${severity} ${sinceUs} ${text}`,
    severity,
    text,
    detail: `(for ${agoText(nowMs - sinceUs / 1_000)})`,
    ...(cameraId === undefined ? {} : { cameraId }),
  }));
}

export function lagText({ records, seconds }: FleetMessage['lag']): string {
  if (records === null) return '–';
  if (records === 0) return 'none';
  return seconds === null ? `${records}` : `${records} · ${durationText(seconds * 1_000)}`;
}
