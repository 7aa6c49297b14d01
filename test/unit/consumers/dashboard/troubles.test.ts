import { describe, expect, it } from 'vitest';
import { CameraView } from '#consumers/dashboard/camera-view.ts';
import type { ConsumersVerdict } from '#consumers/dashboard/protocol.ts';
import { type Circumstances, troublesOf } from '#consumers/dashboard/troubles.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CameraState, CameraStatus } from '#schemas/camera-status.ts';

const NOW_MS = 1_700_000_000_000;

function camera(
  cameraId: string,
  state: CameraState,
  saidMs = NOW_MS,
  { detail = '', final = false } = {},
): CameraView {
  const view = new CameraView(cameraId);
  const facts = { cameraId, state, detail, final, epoch: 1, agentId: 'agent-1' };
  const said = { ...facts, timeUs: saidMs * 1000 };
  view.enterStatus(said as CameraStatus, saidMs);
  return view;
}

function troubles(changes: Partial<Circumstances>) {
  const consumers: ConsumersVerdict = { state: 'answering', sinceUs: 0, detail: '' };
  return troublesOf({
    ...{ consumers, kafka: undefined, cameras: [], untold: 0, deadLetters: 0, unreadable: 0 },
    ...{ nowMs: NOW_MS, ...changes },
  });
}

const texts = (changes: Partial<Circumstances>) => troubles(changes).map(({ text }) => text);

describe('troublesOf', () => {
  it('finds none where all is well, or over', () => {
    expect(troubles({ cameras: [camera('gate', 'online'), camera('yard', 'ended')] })).toEqual([]);
    const longAgoMs = NOW_MS - 60_000;
    expect(troubles({ cameras: [camera('yard', 'ended', longAgoMs)] })).toEqual([]);
  });

  it('tells the worst first', () => {
    const found = troubles({
      consumers: { state: 'silent', sinceUs: 7, detail: '5 frames wait.' },
      kafka: { text: 'Kafka does not answer.', sinceMs: NOW_MS },
      cameras: [camera('gate', 'offline', NOW_MS, { detail: 'no route to host' })],
      ...{ deadLetters: 3, unreadable: 1, untold: 2 },
    });
    expect(found.map(({ severity, text }) => `${severity}: ${text}`)).toEqual([
      'critical: Kafka does not answer.',
      'critical: Consumers do not answer. 5 frames wait.',
      'warning: Camera gate is offline. no route to host',
      'warning: 2 more cameras have no room here: at most 10000 have.',
      'warning: 3 frames became dead letters in the last 10 s.',
      'warning: 1 records of the last 10 s cannot be read by this server.',
    ]);
    expect(found[2]).toMatchObject({ cameraId: 'gate', sinceUs: NOW_MS * 1000 });
  });

  it('tells of an agent that says nothing any more of its cameras, for a day', () => {
    const said = (agoMs: number) => [camera('a', 'online', NOW_MS - agoMs), camera('b', 'ended')];
    // The other camera was heard of just now, so its agent runs.
    expect(texts({ cameras: said(60_000) })).toEqual([]);
    const silent = (agoMs: number) =>
      texts({ cameras: [camera('a', 'online', NOW_MS - agoMs), camera('b', 'offline', 0)] });
    expect(silent(LIMITS.wallAgentSilentMs)[0]).toBe(
      'Agent agent-1 says nothing any more of 2 cameras: is it running?',
    );
    expect(silent(LIMITS.wallAgentSilentMs - 1)).toHaveLength(1);
    expect(silent(LIMITS.wallAgentForgottenMs)).toHaveLength(1);
    // It was stopped, and has said so.
    const stopped = camera('a', 'offline', NOW_MS - 60_000, { final: true });
    expect(texts({ cameras: [stopped] })).toEqual(['Camera a is offline.']);
  });

  it('tells no more than fit, and how many there are', () => {
    const offline = (count: number) =>
      Array.from({ length: count }, (_, index) => camera(`c${index}`, 'offline'));
    const max = LIMITS.wallTroublesMax;
    expect(texts({ cameras: offline(max) }).at(-1)).toBe(`Camera c${max - 1} is offline.`);
    const many = texts({ cameras: offline(max + 5) });
    expect(many).toHaveLength(max);
    expect(many.at(-1)).toBe('And 6 more of these.');
  });
});
