import type { CameraState } from '#schemas/camera-status.ts';
import type { Lineage, ResultStatus, Task } from '#schemas/result.ts';
import type { HistorySeries } from './history.ts';
import type { Inspection } from './inspect/inspection.ts';
import type { TraceSpan } from './traces/trace-span.ts';

/**
 * What the wall's server and its page say to each other: types only, for both. Messages of the
 * WebSocket `/api/live` are JSON, one a message; times are microseconds since 1970-01-01 UTC, by
 * the server's clock, unless their name says otherwise; boxes are fractions of the source picture.
 */

// ---- WebSocket, server to page.

export type ServerMessage =
  | HelloMessage
  | FleetMessage
  | CamerasMessage
  | GoneMessage
  | ResultsMessage
  | RefusedMessage;

/** The first message of a connection. All rows follow as `cameras`. */
export interface HelloMessage {
  readonly type: 'hello';
  readonly version: string;
  /** Of the topics: which installation this is. */
  readonly prefix: string;
  readonly heads: readonly Task[];
  readonly nowUs: number;
  /** Cameras that one connection may watch at a time. */
  readonly watchedMax: number;
}

/** Once a second. */
export interface FleetMessage {
  readonly type: 'fleet';
  readonly nowUs: number;
  readonly cameras: {
    /** With a row. */
    readonly shown: number;
    /** Seen beyond the most that this server keeps: they have no row. */
    readonly untold: number;
    /** Whose settings let small pictures leave them. */
    readonly sendPictures: number;
    readonly byState: Readonly<Partial<Record<CameraState, number>>>;
  };
  /** Published on the frame topic, over the last seconds. */
  readonly framesPerSecond: number;
  /** Committed, over the last seconds. */
  readonly resultsPerSecond: Readonly<Partial<Record<Task, number>>>;
  /** Bitstream, of frames that have results, in 1,024 bytes; null before the first. */
  readonly kilobytesPerFrame: number | null;
  /**
   * That a consumer analyses together, on average over the last minute. No topic tells it: it is
   * taken from results, of which all of one batch were finished at one time. Null: there was none.
   */
  readonly framesPerBatch: number | null;
  /** From capture to arrival here, over the last seconds; null where there was no result. */
  readonly ageMs: { readonly p50: number; readonly p95: number } | null;
  readonly lag: Lag;
  readonly consumers: ConsumersVerdict;
  /** Since this server started. */
  readonly deadLetters: number;
  /** For a person, the worst first; empty if all is well. */
  readonly troubles: readonly Trouble[];
}

/** How far the inference group is behind the frame topic; null while nobody knows. */
export interface Lag {
  readonly records: number | null;
  /** Since the oldest frame that waits was published; 0 where none waits. */
  readonly seconds: number | null;
}

/**
 * `answering`: frames come, and their results; `behind`: results come, of frames that are old;
 * `silent`: frames wait, and neither results nor commits come; `idle`: no frame waits and none
 * comes; `unknown`: the server has just started, or Kafka does not answer it.
 */
export type ConsumersState = 'answering' | 'behind' | 'silent' | 'idle' | 'unknown';

export interface ConsumersVerdict {
  readonly state: ConsumersState;
  readonly sinceUs: number;
  /** For a person. */
  readonly detail: string;
}

export interface Trouble {
  readonly severity: 'warning' | 'critical';
  readonly text: string;
  readonly sinceUs: number;
  /** Where it is of one camera. */
  readonly cameraId?: string;
}

/** Rows that changed since the last message, whole; at most once a second. */
export interface CamerasMessage {
  readonly type: 'cameras';
  readonly cameras: readonly CameraRow[];
}

export interface CameraRow {
  readonly cameraId: string;
  readonly state: CameraState;
  /** For a person: why it is offline, say. */
  readonly detail: string;
  /** Empty where no status of it was seen. */
  readonly agentId: string;
  /** Unix ms; 0 before the first. */
  readonly epoch: number;
  /** Captured, over the agent's last interval. */
  readonly framesPerSecond: number;
  /** What rate control has room for; null where the agent does not say. */
  readonly framesPerSecondLimit: number | null;
  readonly ratePoint: number | null;
  /** Bitstream, over the last frames with results, in 1,024 bytes; null before the first. */
  readonly kilobytesPerFrame: number | null;
  /** From capture to arrival, of the newest result; null before the first. */
  readonly ageMs: number | null;
  /** Capture time of the newest frame that the agent or a result told of; null before the first. */
  readonly lastFrameTimeUs: number | null;
  /** Of this epoch, as are `published` and `dropped`. */
  readonly captured: number;
  readonly published: number;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly reconnects: number;
  /** Its settings let small pictures leave it, which others never do. */
  readonly sendsPictures: boolean;
  /** Of the newest classification, the best first, three at most. */
  readonly topLabels: readonly LabelScore[];
  /** Objects in the newest detection, by label. */
  readonly counts: Readonly<Record<string, number>>;
}

export type LabelScore = readonly [label: string, score: number];

/** Their rows are to be taken away: the server keeps no more of them. */
export interface GoneMessage {
  readonly type: 'gone';
  readonly cameraIds: readonly string[];
}

/** The newest of each watched camera that has something new; at most four a second a camera. */
export interface ResultsMessage {
  readonly type: 'results';
  readonly cameras: readonly CameraResults[];
}

/** The newest frame of a camera; heads answer for themselves, so a task may be of an older one. */
export interface CameraResults {
  readonly cameraId: string;
  readonly frameId: string;
  readonly captureTimeUs: number;
  /** From capture to arrival at the server. */
  readonly ageMs: number;
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /** The frame has a trace; whether its spans are here, `/api/frames/:frameId` says. */
  readonly traced: boolean;
  readonly classification?: TaskResult & { readonly labels: readonly LabelScore[] };
  readonly detection?: TaskResult & { readonly boxes: readonly ScoredBox[] };
  readonly segmentation?: TaskResult & { readonly masks: readonly LabelMask[] };
}

export interface TaskResult {
  readonly frameId: string;
  /** Other than `ok`: the lists are empty, and say nothing. */
  readonly status: ResultStatus;
}

export type ScoredBox = readonly [
  label: string,
  score: number,
  xMin: number,
  yMin: number,
  xMax: number,
  yMax: number,
];

/** COCO's compressed RLE, column-major, over the whole source picture. */
export type LabelMask = readonly [
  label: string,
  areaFraction: number,
  mask: { readonly height: number; readonly width: number; readonly counts: string },
];

/** A message of the page that the server could not follow; the connection stays. */
export interface RefusedMessage {
  readonly type: 'refused';
  readonly error: WallError;
}

// ---- WebSocket, page to server.

/** Replaces what was watched before. Cameras that are not known (yet) are answered `refused`. */
export interface WatchMessage {
  readonly type: 'watch';
  readonly cameraIds: readonly string[];
}

export type ClientMessage = WatchMessage;

// ---- HTTP. Whatever is refused has a WallError as its body, as `{ error }`.

export interface WallError {
  /** Stays the same for the same reason: `camera-unknown`, `token-invalid`, ... */
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

/** `POST /api/session` takes it, and answers 204 with a cookie. */
export interface SessionRequest {
  readonly token: string;
}

/** `GET /api/session`: whether this browser may look, without a 401 in its log. */
export interface SessionAnswer {
  readonly tokenNeeded: boolean;
  readonly signedIn: boolean;
}

/** `GET /api/cameras/:id` */
export interface CameraAnswer {
  readonly camera: CameraRow;
  readonly history: HistorySeries;
  /** Of the picture that `/api/cameras/:id/preview` answers; null where there is none. */
  readonly preview: PreviewFacts | null;
}

/** A JPEG that the camera has sent. */
export interface PreviewFacts {
  readonly captureTimeUs: number;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/** `GET /api/cameras/:id/frames`: those that have results, the newest first. */
export interface FramesAnswer {
  readonly frames: readonly CameraResults[];
}

/** `GET /api/frames/:frameId` */
export interface FrameAnswer {
  readonly frameId: string;
  /** What was found in it; null where no result of it is on the topics (yet, or any more). */
  readonly results: CameraResults | null;
  /** How each of these results came about. */
  readonly origins: readonly ResultOrigin[];
  readonly inspection: Inspection;
  /** Spans of its trace, in order of time, for `traces/waterfall.ts`; empty: none came here. */
  readonly trace: readonly TraceSpan[];
}

export interface ResultOrigin {
  readonly task: Task;
  readonly status: ResultStatus;
  readonly encodeTimeUs: number;
  /** When the head had finished, by the consumer's clock. */
  readonly inferTimeUs: number;
  readonly redrives: number;
  readonly lineage: Lineage;
}

/** `GET /api/fleet` */
export interface FleetAnswer {
  readonly nowUs: number;
  readonly fleet: FleetMessage;
  readonly topics: readonly TopicFigures[];
  /** Of the inference group on the frame topic. */
  readonly partitions: readonly PartitionLag[];
  /** Since this server started, by reason. */
  readonly deadLettersByReason: Readonly<Record<string, number>>;
  readonly jobs: JobsFigures;
}

export interface TopicFigures {
  readonly name: string;
  readonly partitionCount: number;
  /** Records on it now, by its offsets (markers of transactions count). */
  readonly records: number;
  /** By its end offsets (the same holds); null in the first seconds. */
  readonly recordsPerSecond: number | null;
}

export interface PartitionLag {
  readonly partition: number;
  readonly endOffset: number;
  /** Null where the group has committed nothing yet. */
  readonly committedOffset: number | null;
  readonly lag: Lag;
}

/** `unnamed`: no Redis is named, so there is no queue of jobs to look at. */
export type JobsFigures =
  | { readonly state: 'unnamed' }
  | { readonly state: 'unreachable'; readonly detail: string }
  | {
      readonly state: 'known';
      readonly byState: Readonly<Record<string, number>>;
      /** The newest first, twenty at most. */
      readonly newest: readonly JobFigures[];
    };

export interface JobFigures {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  /** 0 to 1; null where it is not known. */
  readonly progress: number | null;
  readonly detail: string;
}
