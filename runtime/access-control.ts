/**
 * The access port: who may do what on the brokers (Kafka's ACLs). Apart from the broker port, since
 * only one command needs it, with credentials that no other process should have.
 * `runtime/kafka/access-control.ts` implements it.
 */

/** Names as Kafka's own tools print them. `UNKNOWN`: newer than our client. */
export type AccessOperation =
  | 'ALL'
  | 'READ'
  | 'WRITE'
  | 'CREATE'
  | 'DELETE'
  | 'ALTER'
  | 'DESCRIBE'
  | 'CLUSTER_ACTION'
  | 'DESCRIBE_CONFIGS'
  | 'ALTER_CONFIGS'
  | 'IDEMPOTENT_WRITE'
  | 'UNKNOWN';

export type AccessResource =
  | 'TOPIC'
  | 'GROUP'
  | 'CLUSTER'
  | 'TRANSACTIONAL_ID'
  | 'DELEGATION_TOKEN'
  | 'UNKNOWN';

/** One ACL. */
export interface AccessRule {
  /** `User:name`. */
  readonly principal: string;
  /** `*` for any. */
  readonly host: string;
  readonly permission: 'ALLOW' | 'DENY' | 'UNKNOWN';
  readonly operation: AccessOperation;
  readonly resource: AccessResource;
  /** Whether `name` is the whole name or what names begin with. */
  readonly pattern: 'LITERAL' | 'PREFIXED' | 'UNKNOWN';
  /** A literal `*` stands for all. */
  readonly name: string;
}

export interface AccessControl {
  /** All rules of the cluster. */
  list(): Promise<AccessRule[]>;
  add(rules: readonly AccessRule[]): Promise<void>;
  remove(rules: readonly AccessRule[]): Promise<void>;
  close(): Promise<void>;
}
