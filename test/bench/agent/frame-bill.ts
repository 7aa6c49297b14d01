import type { AgentFigures, AgentStage } from '../instruments/agent-protocol.ts';
import { costOfFrame } from '../instruments/cost.ts';

/** What one published frame cost, between two looks at an agent; microseconds. */
export interface FrameBill {
  readonly framesPerSecond: number;
  /** Of the frames that were captured. */
  readonly droppedShare: number;
  /** In the encoder thread, an encoded frame. */
  readonly encodeUs: number;
  readonly captureUs: number;
  readonly wrapUs: number;
  readonly publishUs: number;
  readonly sendUs: number;
  /** Processor time of the main thread. */
  readonly mainUs: number;
  /** Processor time of all threads but the one of the sources. */
  readonly processUs: number;
  /** Processor time of that one. */
  readonly sourceUs: number;
  readonly lateMs: number;
}

export function frameBill(before: AgentFigures, after: AgentFigures): FrameBill {
  const frames = after.published - before.published;
  const captured = after.captured - before.captured;
  const cost = costOfFrame(before.cost, after.cost, frames);
  const stage = (name: AgentStage) => (after.stagesUs[name] - before.stagesUs[name]) / frames;
  const sourceUs = (after.sourceUs - before.sourceUs) / frames;
  return {
    framesPerSecond: (frames / (after.cost.wallMs - before.cost.wallMs)) * 1000,
    droppedShare: (after.dropped - before.dropped) / captured,
    encodeUs: (after.encodeUs - before.encodeUs) / (after.encoded - before.encoded),
    captureUs: stage('capture'),
    wrapUs: stage('wrap'),
    publishUs: stage('publish'),
    sendUs: stage('send'),
    mainUs: cost.threadUs,
    processUs: cost.processUs - sourceUs,
    sourceUs,
    lateMs: after.lateMs,
  };
}
