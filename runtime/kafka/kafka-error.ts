import { AssertionError } from '../assert.ts';
import { HalfsightError } from '../errors.ts';

/** What kafkajs' errors have in common; its wrappers hide the protocol error in `cause`. */
interface KafkaJsError {
  readonly name?: string;
  readonly message?: string;
  readonly type?: string;
  readonly code?: string;
  readonly cause?: KafkaJsError;
  /** Of a call about several topics. */
  readonly errors?: readonly KafkaJsError[];
}

/** The broker refused, and will do so again until a person changes something. */
const REFUSED = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'SECURITY_DISABLED',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_PARTITIONS',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_GROUP_ID',
  'INVALID_TRANSACTION_TIMEOUT',
  'UNSUPPORTED_VERSION',
]);

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** Someone with the same transactional id has come after us (KIP-98, KIP-360). */
const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'TRANSACTION_COORDINATOR_FENCED',
  'FENCED_INSTANCE_ID',
]);

/** The protocol's name for what went wrong, wherever kafkajs put it. */
export function errorType(error: unknown): string | undefined {
  let current = error as KafkaJsError | undefined;
  for (let depth = 0; current !== undefined && current !== null && depth < 8; depth++) {
    // Brokers since 2.7 answer fencing with code 90, which kafkajs does not know.
    if (/PRODUCER_FENCED|error code 90\b/i.test(current.message ?? '')) return 'PRODUCER_FENCED';
    if (current.type !== undefined && current.type !== 'KAFKAJS_UNKNOWN_ERROR_CODE') {
      return current.type;
    }
    if (current.name === 'KafkaJSSASLAuthenticationError') return 'SASL_AUTHENTICATION_FAILED';
    current = current.cause ?? current.errors?.[0];
  }
  return undefined;
}

/** What kafkajs threw, as an operating error with advice. Ours pass through unchanged. */
export function toHalfsightError(error: unknown, doing: string): HalfsightError {
  if (error instanceof HalfsightError) return error;
  // A mistake of ours must not pass for a broker that is away.
  if (error instanceof AssertionError) throw error;
  const type = errorType(error);
  const message = `${doing}: ${innermostMessage(error).replace(/[^.]$/, '$&.')}`;
  const options = { cause: error };
  if (type !== undefined && FENCED.has(type)) {
    return new HalfsightError('broker-fenced', message, options);
  }
  if (type !== undefined && TOO_LARGE.has(type)) {
    const advice = 'Raise max.message.bytes of the topic, or send less.';
    return new HalfsightError('record-too-large', message, { ...options, advice });
  }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    // Brokers say so too while a partition moves, so it may pass; whether a topic exists at all is
    // asked once, at start (`KafkaTopics.partitionCount`).
    return new HalfsightError('broker-unavailable', message, { ...options, advice: TOPIC_ADVICE });
  }
  if (type !== undefined && REFUSED.has(type)) {
    return new HalfsightError('broker-refused', message, { ...options, advice: adviceFor(type) });
  }
  if (isTlsProblem(error)) {
    return new HalfsightError('broker-refused', message, { ...options, advice: TLS_ADVICE });
  }
  const advice = isClosedAtOnce(error) ? CLOSED_ADVICE : AWAY_ADVICE;
  return new HalfsightError('broker-unavailable', message, { ...options, advice });
}

const AWAY_ADVICE = 'Check that Kafka runs and that KAFKA_BROKERS names it.';
const CLOSED_ADVICE = `${AWAY_ADVICE} If so, it may want TLS or SASL and we not, or the reverse.`;
const TLS_ADVICE =
  'KAFKA_TLS_CA_FILE must hold the authority of the brokers, whose certificates must name the ' +
  'hosts in KAFKA_BROKERS; with mutual TLS check KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE too.';

function adviceFor(type: string): string {
  if (type.endsWith('_AUTHORIZATION_FAILED')) {
    return 'No ACL allows this user to do that: see `npm run acls -- --help`.';
  }
  if (type.includes('SASL')) {
    return 'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and the password.';
  }
  if (type === 'SECURITY_DISABLED') return 'The brokers have no authorizer.';
  return 'The settings of the brokers, or of the topic, do not allow that.';
}

export const TOPIC_ADVICE = 'Create it: `npm run topics` does so for all of Halfsight.';

function innermostMessage(error: unknown): string {
  let current = error as KafkaJsError | undefined;
  let message = String((error as KafkaJsError | undefined)?.message ?? error);
  for (let depth = 0; current && depth < 8; depth++) {
    message = current.message ?? message;
    current = current.cause ?? current.errors?.[0];
  }
  return message.trim();
}

/** How a broker answers who does not speak its protocol. */
function isClosedAtOnce(error: unknown): boolean {
  return /Closed connection|before secure TLS connection/.test(innermostMessage(error));
}

function isTlsProblem(error: unknown): boolean {
  return /self[- ]signed certificate|certificate|SSL routines|wrong version number/i.test(
    innermostMessage(error),
  );
}
