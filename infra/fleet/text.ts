import { ageText } from '#consumers/subscriber/result-text.ts';
import { type Column, textTable } from '#consumers/subscriber/text-table.ts';
import { redactCredentials } from '#producers/camera/sources/redact.ts';
import type {
  AgentLoad,
  CameraEntry,
  FleetList,
  LiveStatus,
  Placement,
} from '#producers/fleet/registry.ts';
import type { WantedCamera, WantedPreview, WantedRate } from '#producers/fleet/wanted-camera.ts';

const COLUMNS: readonly Column[] = [
  { title: 'CAMERA' },
  { title: 'STATE' },
  { title: 'OWNER' },
  { title: 'FPS', align: 'right' },
  { title: 'KB/FRAME', align: 'right' },
  { title: 'LAST FRAME', align: 'right' },
  { title: 'DROPS', align: 'right' },
  { title: 'WHY' },
];

/** A line a camera, and one of the agents. */
export function listText({ cameras, agents }: FleetList): string {
  const lines = cameras.length === 0 ? [] : textTable(COLUMNS, cameras.map(rowOf));
  const count = cameras.length === 1 ? '1 camera' : `${cameras.length} cameras`;
  const loads = agents.length === 0 ? 'no agent is running' : agents.map(loadText).join('; ');
  return `${[...lines, `${count}; ${loads}.`].join('\n')}\n`;
}

function rowOf(entry: CameraEntry): string[] {
  const { camera, live } = entry;
  const wanted = String(camera.framesPerSecond);
  return [
    camera.id,
    stateOf(entry),
    ownerOf(entry),
    live === undefined ? `-/${wanted}` : `${live.framesPerSecond.toFixed(1)}/${wanted}`,
    live === undefined ? '-' : (live.bytesPerFrame / 1024).toFixed(1),
    lastFrameText(entry),
    live === undefined ? '-' : String(sum(Object.values(live.dropped))),
    whyOf(entry),
  ];
}

export type ShownState = Exclude<Placement['state'], 'owned'> | LiveStatus['state'] | 'starting';

/** `starting`: it has an owner, which has not told yet how it does. */
export function stateOf({ placement, live }: CameraEntry): ShownState {
  if (placement.state !== 'owned') return placement.state;
  return live?.state ?? 'starting';
}

function ownerOf({ placement }: CameraEntry): string {
  return 'agentId' in placement ? placement.agentId : '-';
}

function lastFrameText({ live }: CameraEntry): string {
  if (live === undefined || live.lastFrameAgeMs === null) return '-';
  return ageText(live.lastFrameAgeMs + live.toldAgeMs);
}

/** Why it is not online, or has no owner; empty where there is nothing to say. */
export function whyOf({ placement, live }: CameraEntry): string {
  return 'reason' in placement ? placement.reason : (live?.detail ?? '');
}

function loadText(agent: AgentLoad): string {
  const { agentId, cameras, camerasMax, framesPerSecond, framesPerSecondMax } = agent;
  const rate = `${framesPerSecond} of ${framesPerSecondMax} frames/s`;
  return `${agentId} has ${cameras} of ${camerasMax}, ${rate}`;
}

/** Everything about a camera, a line a fact. */
export function showText(entry: CameraEntry): string {
  const { camera, live } = entry;
  const labels = Object.entries(camera.labels).map(([key, value]) => `${key}=${value}`);
  const drops = Object.entries(live?.dropped ?? {}).map(([reason, count]) => `${count} ${reason}`);
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['camera', camera.id],
    ['version', String(camera.version)],
    ['source', shownSource(camera.source)],
    ['enabled', camera.enabled ? 'yes' : 'no'],
    ['fps', `${camera.framesPerSecond} wanted, ${live?.framesPerSecond.toFixed(1) ?? '-'} now`],
    ['rate point', String(camera.ratePoint ?? "the agent's")],
    ['rate', rateText(camera.rate)],
    ['heads', camera.heads?.join(', ') ?? 'all'],
    ['traced', ratioText(camera.traceSampleRatio)],
    ['pictures', previewText(camera.preview)],
    ['labels', labels.join(', ') || '-'],
    ['state', stateOf(entry)],
    ['owner', ownerOf(entry)],
    ['why', whyOf(entry) || '-'],
    ['KB/frame', live === undefined ? '-' : (live.bytesPerFrame / 1024).toFixed(1)],
    ['last frame', lastFrameText(entry)],
    ['drops', drops.join(', ') || '-'],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return `${facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}\n`;
}

function previewText(preview: WantedPreview | undefined): string {
  if (preview === undefined) return 'none leaves it';
  const { everySeconds, width } = preview;
  return `ONE LEAVES IT every ${everySeconds} s, ${width} pixels wide or high`;
}

function ratioText(ratio: number | undefined): string {
  return ratio === undefined ? "the agent's share" : `${100 * ratio} % of its frames`;
}

function rateText(rate: WantedRate | undefined): string {
  const said = Object.entries(rate ?? {}).map(([key, value]) => `${key} ${value}`);
  return said.join(', ') || "the agent's";
}

/** For programs: as it is in the registry, but for a password. */
export function shownEntry({ camera, placement, live }: CameraEntry) {
  return { ...shownCamera(camera), placement, live: live ?? null };
}

/** Without a password; the name of a variable is none. */
export function shownCamera<C extends WantedCamera>(camera: C): C {
  return { ...camera, source: shownSource(camera.source) };
}

export function shownSource(source: string): string {
  const [named = ''] = /^[a-z]+:\/\/[^\s:@/]*:(\$\{[^}]*\})+@/.exec(source) ?? [];
  return named + redactCredentials(source.slice(named.length));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
