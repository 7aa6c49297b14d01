import type { AccessOperation, AccessRule } from '#runtime/access-control.ts';
import { defined } from '#runtime/assert.ts';
import type { RecordTypeName } from '#schemas/record-type.ts';
import {
  backfillGroups,
  backfillSpecs,
  bridgeGroups,
  redriveGroup,
  type Topic,
  type TopicTable,
  topicSpecs,
  webhookGroups,
} from '#schemas/topics.ts';

/** What a user of the brokers is there for. One user may have several roles. */
export const ROLES = [
  ...(['camera', 'inference', 'jobs', 'subscriber', 'webhooks', 'bridge', 'wall'] as const),
  'operator',
] as const;
export type Role = (typeof ROLES)[number];

interface Access {
  readonly writers: readonly Role[];
  readonly readers: readonly Role[];
  /** Pictures: the operator looks after the topic, and does not read it. */
  readonly isPrivate?: true;
}

type AccessTable = Readonly<Partial<Record<RecordTypeName, Access>>>;

const RESULT_READERS = ['subscriber', 'webhooks', 'bridge', 'jobs', 'wall'] as const;

/** Who writes and who reads the topic of a record type; the operator reads all but pictures. */
const LIVE: AccessTable = {
  // The operator redrives: a dead letter's frame is written again, and that is noted. Of the rest,
  // jobs make reports and exports.
  frame: { writers: ['camera', 'operator'], readers: ['inference', 'jobs', 'wall'] },
  'camera-status': { writers: ['camera'], readers: ['jobs', 'wall'] },
  // Of cameras whose settings let small pictures leave them; nobody else has a use for those.
  preview: { writers: ['camera'], readers: ['wall'], isPrivate: true },
  classification: { writers: ['inference'], readers: RESULT_READERS },
  detection: { writers: ['inference'], readers: RESULT_READERS },
  segmentation: { writers: ['inference'], readers: RESULT_READERS },
  'dead-letter': { writers: ['inference'], readers: ['jobs', 'wall'] },
  'dead-letter-action': { writers: ['operator'], readers: [] },
  'head-shadow': { writers: ['inference'], readers: [] },
};

/** The same of the topics that backfills write. */
export const BACKFILL: AccessTable = {
  classification: { writers: ['jobs'], readers: ['subscriber', 'jobs'] },
  detection: { writers: ['jobs'], readers: ['subscriber', 'jobs'] },
  segmentation: { writers: ['jobs'], readers: ['subscriber', 'jobs'] },
  'dead-letter': { writers: ['jobs'], readers: [] },
};

/** Groups of readers that keep no position (consumers/subscriber/topic-reader.ts). */
const PRIVATE_GROUPS = 'halfsight-reader-';

/** What `npm run topics` does to a topic. */
const ADMINISTRATION: readonly AccessOperation[] = ['CREATE', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'];

export interface RoleOptions {
  readonly topics: TopicTable;
  /** Of the inference consumers: KAFKA_GROUP_ID. */
  readonly groupId: string;
  /** What the group ids of subscribers that keep their position may begin with. */
  readonly subscriberGroups: readonly string[];
  /** Topics of others that bridges write. */
  readonly bridgedTopics: readonly string[];
}

/**
 * The rules that let a user do what its role does, and nothing else. READ and WRITE imply DESCRIBE.
 * Idempotent producers need nothing more (KIP-679). Topics are named whole: a prefix `site-1` would
 * let its users write the topics of `site-10`.
 */
export function rulesOf(role: Role, user: string, options: RoleOptions): AccessRule[] {
  const { topics, groupId, subscriberGroups, bridgedTopics } = options;
  const allow = allowing(user);
  const ofTopics = [
    ...topicSpecs(topics).map((topic) => ({ topic, access: LIVE })),
    ...backfillSpecs(topics).map((topic) => ({ topic, access: BACKFILL })),
  ].flatMap(({ topic: { name, recordType }, access }) =>
    operationsOf(role, recordType, access).map((operation) => allow(operation, 'TOPIC', name)),
  );
  const reading = (prefix: string) => allow('READ', 'GROUP', prefix, 'PREFIXED');
  // Its position moves in transactions, an id for each partition (runtime/kafka/transactor.ts).
  const transacting = (group: string, { name }: Topic) => [
    allow('READ', 'GROUP', group),
    allow('WRITE', 'TRANSACTIONAL_ID', `${group}-${name}-`, 'PREFIXED'),
  ];
  const backfills = backfillGroups(topics);
  switch (role) {
    case 'camera':
      // How far consumers are behind, for agents that give fewer frames then (rate.lagGroup).
      return [...ofTopics, allow('DESCRIBE', 'GROUP', groupId)];
    case 'inference':
      return [...ofTopics, ...transacting(groupId, topics.frames)];
    case 'jobs':
      return [
        ...ofTopics,
        ...[backfills, PRIVATE_GROUPS].map(reading),
        allow('WRITE', 'TRANSACTIONAL_ID', backfills, 'PREFIXED'),
        // How far live consumers are behind: jobs are held then.
        allow('DESCRIBE', 'GROUP', groupId),
      ];
    case 'subscriber':
      return [...ofTopics, ...[PRIVATE_GROUPS, ...subscriberGroups].map(reading)];
    case 'webhooks':
      // A group for each hook, whose first position is committed in a transaction.
      return [
        ...ofTopics,
        ...Object.values(webhookGroups(topics)).flatMap((groups) => [
          reading(groups),
          allow('WRITE', 'TRANSACTIONAL_ID', groups, 'PREFIXED'),
        ]),
      ];
    case 'bridge':
      // A group for each format and topic, or one that keeps no position, for standard output.
      return [
        ...ofTopics,
        ...bridgedTopics.map((name) => allow('WRITE', 'TOPIC', name)),
        reading(PRIVATE_GROUPS),
        ...Object.values(bridgeGroups(topics)).flatMap((groups) => [
          reading(groups),
          allow('WRITE', 'TRANSACTIONAL_ID', groups, 'PREFIXED'),
        ]),
      ];
    case 'wall':
      // It shows how far consumers are, whatever they say themselves.
      return [...ofTopics, reading(PRIVATE_GROUPS), allow('DESCRIBE', 'GROUP', groupId)];
    case 'operator':
      return [
        ...ofTopics,
        reading(PRIVATE_GROUPS),
        // How far hooks are behind.
        ...Object.values(webhookGroups(topics)).map((groups) =>
          allow('DESCRIBE', 'GROUP', groups, 'PREFIXED'),
        ),
        ...transacting(redriveGroup(topics), topics.deadLetters),
      ];
  }
}

/** What a role does with the topic of a record type; one without an entry is a mistake of ours. */
export function operationsOf(
  role: Role,
  recordType: RecordTypeName,
  access: AccessTable = LIVE,
): AccessOperation[] {
  const entry = defined(access[recordType], `the roles of ${recordType} topics`);
  const { writers, readers, isPrivate = false } = entry;
  const isOperator = role === 'operator';
  const reads = (isOperator && !isPrivate) || readers.includes(role);
  return [
    ...(reads ? (['READ'] as const) : []),
    // Reading brings it along; the operator must see what it looks after.
    ...(isOperator && !reads ? (['DESCRIBE'] as const) : []),
    ...(writers.includes(role) ? (['WRITE'] as const) : []),
    ...(isOperator ? ADMINISTRATION : []),
  ];
}

function allowing(user: string) {
  return (
    operation: AccessOperation,
    resource: AccessRule['resource'],
    name: string,
    pattern: AccessRule['pattern'] = 'LITERAL',
  ): AccessRule => ({
    principal: `User:${user}`,
    host: '*',
    permission: 'ALLOW',
    operation,
    resource,
    pattern,
    name,
  });
}
