import { LIMITS } from '#runtime/limits.ts';
import type { RecordTypeName } from './record-type.ts';
import { TASKS, type Task } from './result.ts';

/** One Kafka topic of the pipeline: what is on it, and how the broker keeps it. */
export interface Topic {
  readonly name: string;
  readonly recordType: RecordTypeName;
  readonly partitionCount: number;
  readonly replicationFactor: number;
  /** Topic settings as Kafka names them. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface TopicTable {
  readonly frames: Topic;
  readonly status: Topic;
  /** Small pictures of cameras whose settings let them leave the camera; else nothing. */
  readonly previews: Topic;
  readonly deadLetters: Topic;
  /** What was done about dead letters: redriven, discarded. */
  readonly deadLetterActions: Topic;
  /** How heads in shadow compare with the live ones. */
  readonly headShadows: Topic;
  readonly results: Readonly<Record<Task, Topic>>;
}

export interface TopicOptions {
  readonly prefix?: string;
  readonly partitionCount?: number;
  readonly replicationFactor?: number;
}

/** Ends every topic's name. Another one would mean records that readers of this one cannot read. */
const VERSION = '.v1';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How long frames can be analysed again; also how long conservation can be checked. */
const FRAME_RETENTION_MS = DAY_MS;
const WEEK_MS = 7 * DAY_MS;

/**
 * The topics of one pipeline. A record's key is its camera id, except for heads in shadow, and
 * every topic has the same number of partitions, so a camera has the same number everywhere.
 */
export function topicTable(options: TopicOptions = {}): TopicTable {
  const { prefix = 'halfsight', partitionCount = 8, replicationFactor = 1 } = options;
  const topic = (
    stage: string,
    recordType: RecordTypeName,
    settings: Topic['settings'],
  ): Topic => ({
    name: `${prefix}.${stage}${VERSION}`,
    recordType,
    partitionCount,
    replicationFactor,
    settings: {
      'max.message.bytes': String(LIMITS.messageBytesMax),
      // With three replicas an acknowledged record survives the loss of any one broker.
      'min.insync.replicas': String(replicationFactor >= 3 ? 2 : 1),
      ...settings,
    },
  });
  const kept = (retentionMs: number) => ({
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs),
  });
  const result = (task: Task) => topic(`result.${task}`, task, kept(FRAME_RETENTION_MS));
  return {
    frames: topic('camera.frame', 'frame', kept(FRAME_RETENTION_MS)),
    status: topic('camera.status', 'camera-status', {
      // The newest status of a camera stays; older ones stay as long as the frames that they count.
      'cleanup.policy': 'compact,delete',
      'min.compaction.lag.ms': String(FRAME_RETENTION_MS),
      'retention.ms': String(WEEK_MS),
    }),
    previews: topic('camera.preview', 'preview', {
      ...kept(LIMITS.previewRetentionMs),
      // Kafka deletes whole segments, by their newest record: a third is the most that this adds.
      'segment.ms': String(LIMITS.previewRetentionMs / 3),
      'max.message.bytes': String(LIMITS.previewRecordBytesMax),
    }),
    deadLetters: topic('inference.dead-letter', 'dead-letter', {
      ...kept(WEEK_MS),
      // Kafka deletes whole segments, by their newest record: a letter lives for a day more.
      'segment.ms': String(DAY_MS),
    }),
    // Longer than any letter: a letter whose action was forgotten could be redriven twice.
    deadLetterActions: topic(
      'inference.dead-letter-action',
      'dead-letter-action',
      kept(4 * WEEK_MS),
    ),
    // The last figures of each consumer stay, also when it is gone.
    headShadows: topic('inference.head-shadow', 'head-shadow', {
      'cleanup.policy': 'compact,delete',
      'retention.ms': String(4 * WEEK_MS),
    }),
    results: {
      classification: result('classification'),
      detection: result('detection'),
      segmentation: result('segmentation'),
    },
  };
}

/** All topics of the table, in the order in which a frame meets them. */
export function topicSpecs(table: TopicTable): Topic[] {
  const results = TASKS.map((task) => table.results[task]);
  const { frames, status, previews, deadLetters, deadLetterActions, headShadows } = table;
  return [frames, status, previews, ...results, deadLetters, deadLetterActions, headShadows];
}

/**
 * The table of a backfill: it reads the same frames, but what comes of them is on topics of its
 * own. Live results stay one for each frame and head, and its dead letters are none of the live
 * ones, which are counted in the balance and may be redriven.
 */
export function backfillTopics(table: TopicTable): TopicTable {
  const own = (topic: Topic): Topic => {
    const stage = topic.name.slice(0, -VERSION.length);
    return { ...topic, name: `${stage}.backfill${VERSION}` };
  };
  const { classification, detection, segmentation } = table.results;
  return {
    ...table,
    deadLetters: own(table.deadLetters),
    results: {
      classification: own(classification),
      detection: own(detection),
      segmentation: own(segmentation),
    },
  };
}

/** The topics that only backfills write. */
export function backfillSpecs(table: TopicTable): Topic[] {
  const { results, deadLetters } = backfillTopics(table);
  return [...TASKS.map((task) => results[task]), deadLetters];
}

/** What the groups of all backfills begin with; each has one of its own, by its id. */
export function backfillGroups({ frames }: TopicTable): string {
  return `${frames.name}-backfill-`;
}

/**
 * The group that keeps how far the dead letters of each partition are dealt with. It has no
 * members: its position moves in the transactions of `npm run dead-letters`.
 */
export function redriveGroup({ deadLetters }: TopicTable): string {
  return `${deadLetters.name}-redrive`;
}

/**
 * What the groups of webhooks begin with, by the task whose results they read; each hook has one of
 * its own, by its name.
 */
export function webhookGroups(table: TopicTable): Readonly<Record<Task, string>> {
  return resultGroups(table, 'webhook');
}

/** The same of bridges; each has one of its own, by its format and the topic that it writes. */
export function bridgeGroups(table: TopicTable): Readonly<Record<Task, string>> {
  return resultGroups(table, 'bridge');
}

function resultGroups({ results }: TopicTable, whose: string): Readonly<Record<Task, string>> {
  const { classification, detection, segmentation } = results;
  return {
    classification: `${classification.name}-${whose}-`,
    detection: `${detection.name}-${whose}-`,
    segmentation: `${segmentation.name}-${whose}-`,
  };
}

/** Confluent's convention for the subject of a topic's values. */
export function subjectOf(topic: Pick<Topic, 'name'>): string {
  return `${topic.name}-value`;
}

export function subjectsOf(table: TopicTable): Record<RecordTypeName, string> {
  return {
    frame: subjectOf(table.frames),
    'camera-status': subjectOf(table.status),
    preview: subjectOf(table.previews),
    'dead-letter': subjectOf(table.deadLetters),
    'dead-letter-action': subjectOf(table.deadLetterActions),
    'head-shadow': subjectOf(table.headShadows),
    classification: subjectOf(table.results.classification),
    detection: subjectOf(table.results.detection),
    segmentation: subjectOf(table.results.segmentation),
  };
}
