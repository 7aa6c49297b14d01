import { describe, expect, it } from 'vitest';
import type { StartArguments } from '#infra/start/arguments.ts';
import { agentConfig, planCameras, SCENES } from '#infra/start/cameras.ts';
import { SCENE_KINDS } from '#producers/camera/scenes/scene.ts';
import { AGENT_MANUAL, parseAgentSettings } from '#producers/camera/settings.ts';
import { ConfigFile } from '#runtime/config-file.ts';

function args(changes: Partial<StartArguments>): StartArguments {
  return {
    sources: [],
    cameraCount: 4,
    framesPerSecond: 2,
    durationMs: undefined,
    bundleDirectory: undefined,
    consumerCount: 1,
    hasWall: true,
    ...changes,
  };
}

describe('planCameras', () => {
  it('has every scene of the generator, and no other', () => {
    expect([...SCENES].sort()).toEqual([...SCENE_KINDS].sort());
  });

  it('gives each synthetic camera a name and a seed of its own, also beyond the scenes', () => {
    const plans = planCameras(args({ cameraCount: 9 }));
    expect(new Set(plans.map(({ id }) => id)).size).toBe(9);
    expect(new Set(plans.map(({ source }) => source)).size).toBe(9);
    expect(plans[7]).toEqual({ id: 'street-2', source: 'synthetic:street?seed=8', fps: 2 });
  });

  it('names a camera after its source, without its password; files are played in a loop', () => {
    const sources = [
      '/clips/front door.mp4',
      '/other/front door.mp4',
      'rtsp://viewer:secret@10.0.0.7:554/stream2',
      'rtsp://10.0.0.8',
    ];
    expect(planCameras(args({ sources }))).toEqual([
      { id: 'front-door', source: sources[0], fps: 2, loop: true },
      { id: 'front-door-2', source: sources[1], fps: 2, loop: true },
      { id: 'stream2', source: sources[2], fps: 2 },
      { id: '10.0.0', source: sources[3], fps: 2 },
    ]);
  });
});

describe('agentConfig', () => {
  it('is a config file that the camera agent takes', () => {
    const cameras = planCameras(args({ sources: ['/clips/a: "b".mp4', 'rtsp://10.0.0.7/live'] }));
    const text = agentConfig({
      brokers: ['127.0.0.1:9092'],
      topicPrefix: 'mine',
      bundleDirectory: '/bundles/one',
      traceSampleRatio: 1,
      cameras,
    });
    const settings = parseAgentSettings(new ConfigFile('agent.yaml', text, AGENT_MANUAL), '/', {
      bundleDirectory: '/elsewhere',
      kafkaBrokers: undefined,
      topicPrefix: 'halfsight',
      lookup: () => undefined,
    });
    expect(settings).toMatchObject({
      bundleDirectory: '/bundles/one',
      brokers: ['127.0.0.1:9092'],
      topicPrefix: 'mine',
      traceSampleRatio: 1,
    });
    expect(settings.cameras).toMatchObject([
      { source: { kind: 'ffmpeg', url: '/clips/a: "b".mp4', loop: true }, framesPerSecond: 2 },
      { source: { kind: 'ffmpeg', url: 'rtsp://10.0.0.7/live', loop: false } },
    ]);
  });
});
