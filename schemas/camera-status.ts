import { LIMITS } from '#runtime/limits.ts';
import { checkCounts } from './bounds.ts';
import { checkCameraId } from './frame.ts';
import type { Framing } from './framing.ts';
import { openRecord, refuse, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';

/** `unknown` is what an old reader sees in place of a state that was added later. */
export type CameraState = 'connecting' | 'online' | 'offline' | 'ended' | 'unknown';

/** How a camera and its current epoch are doing; the topic keeps the newest one per camera. */
export interface CameraStatus {
  readonly cameraId: string;
  /** Unix ms; 0 before the first epoch. */
  readonly epoch: number;
  readonly agentId: string;
  readonly state: CameraState;
  /** Frames of this epoch that got a sequence number. */
  readonly captured: number;
  /** Frames of this epoch that the broker has acknowledged. */
  readonly published: number;
  /** Frames of this epoch that were dropped, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Since the agent started. */
  readonly reconnects: number;
  readonly lastFrameTimeUs: number | null;
  /** Captured, over the last status interval. */
  readonly framesPerSecond: number;
  /** That the camera's next frame is encoded at; null where the agent does not say. */
  readonly ratePoint: number | null;
  /** What rate control has room for; null where the agent does not say. */
  readonly framesPerSecondLimit: number | null;
  /** Of rate point or frames a second, since the agent has the camera. */
  readonly profileChanges: number;
  readonly timeUs: number;
  /** The epoch is closed: captured = published + sum(dropped), and nothing will change any more. */
  readonly final: boolean;
  /**
   * The agent was killed in this epoch, or stopped with frames sent and not acknowledged: a final
   * status then counts at least what it says, and some of its drops may be on the topic.
   */
  readonly interrupted: boolean;
  /** Its settings let small pictures of it leave the camera: see preview.ts. */
  readonly sendsPictures: boolean;
  /** For a person: why it is offline, say. Never holds credentials. */
  readonly detail: string;
}

/**
 * Whether a status of `epoch` says how its camera is, to a reader that has seen `newestEpoch`. A
 * final status may come late, and at a hand-over the agent before writes the same key: the higher
 * epoch is the later one. A camera that has no epoch yet says 0.
 */
export function isPresentStatus(epoch: number, newestEpoch: number): boolean {
  return epoch === 0 || epoch >= newestEpoch;
}

export function encodeCameraStatus(status: CameraStatus, framing: Framing): Uint8Array {
  checkStatus(status);
  const type = RECORD_TYPES['camera-status'];
  return sealRecord(type, status, framing, LIMITS.messageBytesMax);
}

export function decodeCameraStatus(record: Uint8Array | null, framing: Framing): CameraStatus {
  const type = RECORD_TYPES['camera-status'];
  const status = openRecord(type, record, framing, LIMITS.messageBytesMax) as CameraStatus;
  checkStatus(status);
  return status;
}

function checkStatus(status: CameraStatus): void {
  checkCameraId('camera-status', status.cameraId);
  checkCounts('camera-status', 'dropped', status.dropped);
  const { epoch, captured, published, reconnects, profileChanges } = status;
  const counters = { epoch, captured, published, reconnects, profileChanges };
  checkCounts('camera-status', 'counters', counters);
  if (!(status.framesPerSecond >= 0)) refuse('camera-status', 'frames_per_second is no rate');
}
