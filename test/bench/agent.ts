import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { makeTestClip } from '#test/integration/rtsp-relay.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { type FrameBill, frameBill } from './agent/frame-bill.ts';
import { AGENT_WARM_SECONDS, BenchAgent } from './instruments/agent.ts';
import type { AgentSettings } from './instruments/agent-protocol.ts';
import { createTopics, openBroker } from './instruments/bench-topics.ts';
import { streetPictures } from './instruments/bundle-frames.ts';
import { SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { markdownTable, readArguments, report, tell, verdict } from './instruments/section.ts';
import { median, rounded } from './instruments/statistics.ts';

/**
 * What a frame costs a camera agent, and how many cameras a core carries:
 *   npm run bench -- agent [--rounds 5] [--write]
 *
 * The agent in a process of its own, with the shipped bundle, one encoder thread and a real Kafka.
 * Its cameras give pictures that were drawn before, in the thread that sources run in, or each
 * plays a small video by an ffmpeg of its own. Some rows have an encoder that costs nothing, so
 * that the rest of the agent is seen at loads that the real one could not make on this machine.
 *
 * Cameras that a core carries: one second of processor time over what a frame costs all threads of
 * the agent, at that frame rate; of a video with the thread of the sources, which only copies
 * pictures otherwise. The main thread should have 150 us a frame at most. A request to Kafka costs
 * it some 2 ms whatever is in it, and one begins each 50 ms at most: what that makes of a core is
 * told besides, because where frames are few they share it with few others.
 */
const GOAL_US = 150;
const SECONDS = 10;

interface Load extends Pick<AgentSettings, 'cameraCount' | 'framesPerSecond' | 'encoder'> {
  readonly isVideo?: boolean;
}

const LOADS: readonly Load[] = [
  { cameraCount: 10, framesPerSecond: 2, encoder: 'onnx' },
  { cameraCount: 4, framesPerSecond: 5, encoder: 'onnx' },
  { cameraCount: 1, framesPerSecond: 15, encoder: 'onnx' },
  { cameraCount: 100, framesPerSecond: 2, encoder: 'stub' },
  { cameraCount: 40, framesPerSecond: 5, encoder: 'stub' },
  { cameraCount: 13, framesPerSecond: 15, encoder: 'stub' },
  { cameraCount: 100, framesPerSecond: 5, encoder: 'stub' },
  { cameraCount: 300, framesPerSecond: 5, encoder: 'stub' },
  { cameraCount: 40, framesPerSecond: 5, encoder: 'stub', isVideo: true },
];
/** More than it can take, to see what one encoder thread carries. */
const SATURATING: Load = { cameraCount: 60, framesPerSecond: 5, encoder: 'onnx' };

const { rounds, write } = readArguments(5);
const pictures = await streetPictures(await loadBundle(SHIPPED_BUNDLE), 16);
const measured = new Map<string, FrameBill[]>();
const folder = mkdtempSync(join(tmpdir(), 'halfsight-bench-'));
const video = join(folder, 'clip.mp4');
await makeTestClip(video, { size: '320x180', rate: 5, seconds: 20 });

const stack = await startTestStack({ redis: false });
try {
  for (let round = 0; round < rounds; round++) {
    for (const [index, load] of [...LOADS, SATURATING].entries()) {
      const bill = await measure(load, `bench-${round}-${index}`);
      measured.set(nameOf(load), [...(measured.get(nameOf(load)) ?? []), bill]);
      tell(
        `round ${round + 1}, ${nameOf(load)}: ${bill.framesPerSecond.toFixed(1)} frames/s, main ` +
          `thread ${bill.mainUs.toFixed(0)} us, all threads ${bill.processUs.toFixed(0)} us, ` +
          `dropped ${(100 * bill.droppedShare).toFixed(1)} %, late ${bill.lateMs.toFixed(0)} ms`,
      );
    }
  }
} finally {
  await stack.stop();
  rmSync(folder, { recursive: true });
}

const rows = [...LOADS, SATURATING].map(rowOf);
report(
  {
    bench: 'agent',
    rounds,
    about: [
      `${SECONDS} s a row; microseconds a published frame. Main thread: its processor time; of it`,
      'capture, wrap, publish and send are parts, the rest is messages to and from the threads of',
      'the sources and the encoder, timers and kafkajs.',
    ],
    tables: [
      markdownTable(
        [
          '',
          'frames/s',
          'dropped, %',
          'cameras a core',
          'encode, us',
          'capture',
          'wrap',
          'publish',
          'send',
          'main thread',
          `goal ${GOAL_US}`,
          'of a core, %',
          'source thread',
        ],
        rows.map((row) => Object.values(row)),
      ),
    ],
    figures: { goalUs: GOAL_US, rows },
  },
  { write },
);
process.exit(0);

function nameOf({ cameraCount, framesPerSecond, encoder, isVideo }: Load): string {
  const stub = encoder === 'stub' ? ', encoder for nothing' : '';
  return `${cameraCount} cameras, ${framesPerSecond} fps${isVideo ? ', video' : ''}${stub}`;
}

async function measure({ isVideo, ...load }: Load, prefix: string): Promise<FrameBill> {
  const { brokers } = stack;
  const broker = openBroker(brokers);
  await createTopics(broker, prefix);
  await broker.close();
  const agent = new BenchAgent({
    ...{ ...load, brokers, prefix, bundleDirectory: SHIPPED_BUNDLE, encoderWorkers: 1, pictures },
    ...(isVideo && { video }),
  });
  await agent.start();
  await systemClock.sleep(AGENT_WARM_SECONDS * 1000);
  const before = await agent.figures();
  await systemClock.sleep(SECONDS * 1000);
  const after = await agent.figures();
  await agent.stop();
  return frameBill(before, after);
}

function rowOf(load: Load) {
  const bills = measured.get(nameOf(load)) ?? [];
  const of = (value: (bill: FrameBill) => number, digits = 0) =>
    rounded(median(bills.map(value)), digits);
  const coreUs = ({ processUs, sourceUs }: FrameBill) =>
    load.isVideo ? processUs + sourceUs : processUs;
  const mainUs = of((bill) => bill.mainUs);
  return {
    name: nameOf(load),
    framesPerSecond: of((bill) => bill.framesPerSecond, 1),
    droppedPercent: of((bill) => 100 * bill.droppedShare, 1),
    camerasACore: of((bill) => 1e6 / coreUs(bill) / load.framesPerSecond, 1),
    encodeUs: of((bill) => bill.encodeUs),
    captureUs: of((bill) => bill.captureUs, 1),
    wrapUs: of((bill) => bill.wrapUs, 1),
    publishUs: of((bill) => bill.publishUs, 1),
    sendUs: of((bill) => bill.sendUs, 1),
    mainUs,
    goal: verdict(mainUs <= GOAL_US),
    mainPercent: of((bill) => (bill.mainUs * bill.framesPerSecond) / 1e4, 1),
    sourceUs: of((bill) => bill.sourceUs),
  };
}
