import { basename, extname } from 'node:path';
import { stringify } from 'yaml';
import { isCameraId } from '#schemas/frame.ts';
import type { StartArguments } from './arguments.ts';

/** A camera as the agent's config file has it. */
export interface CameraPlan {
  readonly id: string;
  readonly source: string;
  readonly fps: number;
  readonly loop?: boolean;
}

/** The scenes of `producers/camera/scenes`, the most telling ones first. */
export const SCENES = ['street', 'car-park', 'yard', 'room', 'plaza', 'avenue', 'field'] as const;

export function planCameras(args: StartArguments): CameraPlan[] {
  const fps = args.framesPerSecond;
  const plans =
    args.sources.length > 0
      ? args.sources.map((source): CameraPlan => {
          const isFile = !/^(rtsps?|synthetic):/i.test(source);
          return { id: nameOf(source), source, fps, ...(isFile ? { loop: true } : {}) };
        })
      : Array.from({ length: args.cameraCount }, (_, index): CameraPlan => {
          const scene = SCENES[index % SCENES.length] ?? SCENES[0];
          return { id: scene, source: `synthetic:${scene}?seed=${index + 1}`, fps };
        });
  return withDistinctIds(plans);
}

/** The agent's config file: see producers/camera/camera-agent.example.yaml. */
export function agentConfig(parts: {
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
  readonly bundleDirectory: string;
  readonly traceSampleRatio: number;
  readonly cameras: readonly CameraPlan[];
}): string {
  const { brokers, topicPrefix, bundleDirectory, traceSampleRatio, cameras } = parts;
  const text = stringify({
    agent: { id: 'npm-start', bundle: bundleDirectory },
    kafka: { brokers },
    topics: { prefix: topicPrefix },
    trace: { sampleRatio: traceSampleRatio },
    cameras,
  });
  return `# Written by \`npm start\` for this run.\n${text}`;
}

/** A camera's id from its address: a file's name, the last part of a URL's path, or its host. */
function nameOf(source: string): string {
  const url = /^[A-Za-z][A-Za-z0-9+.-]+:/.test(source) ? URL.parse(source) : null;
  const last = url === null ? basename(source) : basename(url.pathname) || url.hostname;
  const name = last
    .slice(0, last.length - extname(last).length)
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 40);
  return isCameraId(name) ? name : 'camera';
}

/** The second `gate` becomes `gate-2`. */
function withDistinctIds(plans: readonly CameraPlan[]): CameraPlan[] {
  const taken = new Set<string>();
  return plans.map((plan) => {
    let id = plan.id;
    for (let number = 2; taken.has(id); number++) id = `${plan.id}-${number}`;
    taken.add(id);
    return { ...plan, id };
  });
}
