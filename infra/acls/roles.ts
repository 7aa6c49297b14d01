import type { AccessOperation, AccessRule } from '#runtime/access-control.ts';
import { defined } from '#runtime/assert.ts';
import type { RecordTypeName } from '#schemas/record-type.ts';
import { redriveGroup, type Topic, type TopicTable, topicSpecs } from '#schemas/topics.ts';

/** What a user of the brokers is there for. One user may have several roles. */
export const ROLES = ['camera', 'inference', 'subscriber', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Who writes and who reads the topic of a record type; the operator reads all of them. */
const ACCESS: Readonly<
  Record<RecordTypeName, { readonly writers: readonly Role[]; readonly readers: readonly Role[] }>
> = {
  // The operator redrives: a dead letter's frame is written again, and that is noted.
  frame: { writers: ['camera', 'operator'], readers: ['inference'] },
  'camera-status': { writers: ['camera'], readers: [] },
  classification: { writers: ['inference'], readers: ['subscriber'] },
  detection: { writers: ['inference'], readers: ['subscriber'] },
  segmentation: { writers: ['inference'], readers: ['subscriber'] },
  'dead-letter': { writers: ['inference'], readers: [] },
  'dead-letter-action': { writers: ['operator'], readers: [] },
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
}

/**
 * The rules that let a user do what its role does, and nothing else. READ and WRITE imply DESCRIBE.
 * Idempotent producers need nothing more (KIP-679). Topics are named whole: a prefix `site-1` would
 * let its users write the topics of `site-10`.
 */
export function rulesOf(role: Role, user: string, options: RoleOptions): AccessRule[] {
  const { topics, groupId, subscriberGroups } = options;
  const allow = allowing(user);
  const ofTopics = topicSpecs(topics).flatMap(({ name, recordType }) =>
    operationsOf(role, recordType).map((operation) => allow(operation, 'TOPIC', name)),
  );
  const reading = (prefix: string) => allow('READ', 'GROUP', prefix, 'PREFIXED');
  // Its position moves in transactions, an id for each partition (runtime/kafka/transactor.ts).
  const transacting = (group: string, { name }: Topic) => [
    allow('READ', 'GROUP', group),
    allow('WRITE', 'TRANSACTIONAL_ID', `${group}-${name}-`, 'PREFIXED'),
  ];
  switch (role) {
    case 'camera':
      return ofTopics;
    case 'inference':
      return [...ofTopics, ...transacting(groupId, topics.frames)];
    case 'subscriber':
      return [...ofTopics, ...[PRIVATE_GROUPS, ...subscriberGroups].map(reading)];
    case 'operator':
      return [
        ...ofTopics,
        reading(PRIVATE_GROUPS),
        ...transacting(redriveGroup(topics), topics.deadLetters),
      ];
  }
}

/** What a role does with the topic of a record type; one without an entry is a mistake of ours. */
export function operationsOf(role: Role, recordType: RecordTypeName): AccessOperation[] {
  const { writers, readers } = defined(ACCESS[recordType], `the roles of ${recordType} topics`);
  const isOperator = role === 'operator';
  return [
    ...(isOperator || readers.includes(role) ? (['READ'] as const) : []),
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
