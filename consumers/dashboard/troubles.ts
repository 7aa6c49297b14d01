import { LIMITS } from '#runtime/limits.ts';
import type { CameraView } from './camera-view.ts';
import type { ConsumersVerdict, Trouble } from './protocol.ts';

/** What may be wrong, as this server sees it. Times are milliseconds since the Unix epoch. */
export interface Circumstances {
  readonly consumers: ConsumersVerdict;
  /** Why nothing can be read now; undefined while it can. */
  readonly kafka: { readonly text: string; readonly sinceMs: number } | undefined;
  readonly cameras: Iterable<CameraView>;
  /** Cameras without a row. */
  readonly untold: number;
  /** In the last seconds. */
  readonly deadLetters: number;
  readonly unreadable: number;
  readonly nowMs: number;
}

/** For a person, the worst first; no more than `LIMITS.wallTroublesMax`. */
export function troublesOf(circumstances: Circumstances): Trouble[] {
  const troubles = [
    ...ofKafka(circumstances),
    ...ofConsumers(circumstances.consumers),
    ...ofAgents(circumstances),
    ...ofCameras(circumstances),
    ...ofRecords(circumstances),
  ];
  const critical = troubles.filter(({ severity }) => severity === 'critical');
  const warnings = troubles.filter(({ severity }) => severity === 'warning');
  const sorted = [...critical, ...warnings];
  const shown = sorted.slice(0, LIMITS.wallTroublesMax - 1);
  const rest = sorted.length - shown.length;
  // The last one of as many as there may be is told as itself.
  if (rest <= 1) return sorted;
  const sinceUs = Math.min(...sorted.slice(shown.length).map((trouble) => trouble.sinceUs));
  return [...shown, { severity: 'warning', text: `And ${rest} more of these.`, sinceUs }];
}

function ofKafka({ kafka }: Circumstances): Trouble[] {
  if (kafka === undefined) return [];
  return [{ severity: 'critical', text: kafka.text, sinceUs: kafka.sinceMs * 1000 }];
}

function ofConsumers({ state, detail, sinceUs }: ConsumersVerdict): Trouble[] {
  if (state === 'silent') {
    return [{ severity: 'critical', text: `Consumers do not answer. ${detail}`, sinceUs }];
  }
  if (state !== 'behind') return [];
  return [{ severity: 'warning', text: `Consumers are behind. ${detail}`, sinceUs }];
}

/** An agent that was killed, or cannot reach Kafka, leaves its cameras as they were. */
function ofAgents({ cameras, nowMs }: Circumstances): Trouble[] {
  const agents = new Map<string, { cameras: number; statusMs: number }>();
  for (const { agentId, isOver, statusMs } of cameras) {
    if (agentId === '') continue;
    const agent = agents.get(agentId) ?? { cameras: 0, statusMs: 0 };
    agents.set(agentId, agent);
    if (!isOver) agent.cameras++;
    agent.statusMs = Math.max(agent.statusMs, statusMs);
  }
  return [...agents].flatMap(([agentId, agent]): Trouble[] => {
    const silentMs = nowMs - agent.statusMs;
    const isLost = silentMs >= LIMITS.wallAgentSilentMs && silentMs < LIMITS.wallAgentForgottenMs;
    if (agent.cameras === 0 || !isLost) return [];
    const what = `${agent.cameras} ${agent.cameras === 1 ? 'camera' : 'cameras'}`;
    const text = `Agent ${agentId} says nothing any more of ${what}: is it running?`;
    return [{ severity: 'critical', text, sinceUs: agent.statusMs * 1000 }];
  });
}

function ofCameras({ cameras, untold, nowMs }: Circumstances): Trouble[] {
  const troubles: Trouble[] = [];
  for (const { cameraId, state, detail, offlineMs } of cameras) {
    if (state !== 'offline') continue;
    const why = detail === '' ? '' : ` ${detail}`;
    const text = `Camera ${cameraId} is offline.${why}`;
    troubles.push({ severity: 'warning', text, sinceUs: (offlineMs ?? nowMs) * 1000, cameraId });
  }
  if (untold > 0) {
    const text = `${untold} more cameras have no room here: at most ${LIMITS.wallCamerasMax} have.`;
    troubles.push({ severity: 'warning', text, sinceUs: nowMs * 1000 });
  }
  return troubles;
}

function ofRecords({ deadLetters, unreadable, nowMs }: Circumstances): Trouble[] {
  const windowS = LIMITS.wallRateWindowMs / 1000;
  const sinceUs = (nowMs - LIMITS.wallRateWindowMs) * 1000;
  const warn = (text: string): Trouble => ({ severity: 'warning', text, sinceUs });
  return [
    ...(deadLetters === 0
      ? []
      : [warn(`${deadLetters} frames became dead letters in the last ${windowS} s.`)]),
    ...(unreadable === 0
      ? []
      : [warn(`${unreadable} records of the last ${windowS} s cannot be read by this server.`)]),
  ];
}
