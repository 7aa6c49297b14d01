import { type AvroSchemaObject, canonicalForm, fingerprint } from '#schemas/fingerprint.ts';
import { RECORD_TYPES, type RecordTypeName } from '#schemas/record-type.ts';
import { backfillSpecs, type Topic, topicSpecs, topicTable } from '#schemas/topics.ts';

const BINDING_VERSION = '0.5.0';
const AVRO = 'application/vnd.apache.avro+json;version=1.9.0';

/** What Halfsight does with the records of a type; nobody else needs to write any. */
const RECEIVED: readonly RecordTypeName[] = ['frame', 'camera-status'];

const HEADERS = {
  'frame-id': 'CAMERA-EPOCH-SEQUENCE of the frame that the record is about.',
  traceparent: "W3C trace context of the frame's trace, where it is traced.",
  'redriven-from': 'Of a frame that was put back from the dead letters: PARTITION:OFFSET COUNT.',
  'spooled-at':
    'Of a frame that waited on the disk of its agent: since when. Microseconds since 1970, UTC.',
  backfill: 'Of a result that a backfill found: its id.',
} as const;

const HEADERS_OF: Readonly<Record<RecordTypeName, readonly (keyof typeof HEADERS)[]>> = {
  frame: ['frame-id', 'traceparent', 'redriven-from', 'spooled-at'],
  classification: ['frame-id', 'traceparent', 'backfill'],
  detection: ['frame-id', 'traceparent', 'backfill'],
  segmentation: ['frame-id', 'traceparent', 'backfill'],
  'dead-letter': ['frame-id', 'traceparent'],
  'dead-letter-action': [],
  'head-shadow': [],
  'camera-status': [],
  preview: [],
};

/** All topics and what is on them as an AsyncAPI 3 document, at their default names. */
export function asyncApiDocument(version: string): object {
  const table = topicTable();
  const topics = [...topicSpecs(table), ...backfillSpecs(table)];
  const names = Object.keys(RECORD_TYPES) as RecordTypeName[];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Halfsight',
      version,
      license: { name: 'Apache-2.0' },
      description: [
        'The topics of one pipeline, under the prefix `halfsight` (KAFKA_TOPIC_PREFIX).',
        'A value is in Avro single-object encoding (C3 01, the CRC-64-AVRO fingerprint of its',
        'schema in 8 bytes little-endian, the body), or, where SCHEMA_REGISTRY_URL is set, in',
        'Confluent wire format (00, the id of its schema in 4 bytes big-endian, the body).',
        'Results, dead letters and actions are written in transactions: read with',
        'isolation.level=read_committed.',
      ].join('\n'),
    },
    servers: {
      kafka: {
        host: 'localhost:9092',
        protocol: 'kafka',
        description: 'As KAFKA_BROKERS names it.',
      },
    },
    channels: Object.fromEntries(topics.map((topic) => [channelName(topic), channelOf(topic)])),
    operations: Object.fromEntries(topics.flatMap(operationsOf)),
    components: { messages: Object.fromEntries(names.map((name) => [name, messageOf(name)])) },
  };
}

/** Without prefix and version: `result.detection`. */
function channelName({ name }: Topic): string {
  return name.replace(/^[^.]+\.|\.v\d+$/g, '');
}

function channelOf(topic: Topic): object {
  const { name, recordType, partitionCount, replicationFactor, settings } = topic;
  return {
    address: name,
    summary: docOf(recordType),
    messages: { [recordType]: { $ref: `#/components/messages/${recordType}` } },
    bindings: {
      kafka: {
        topic: name,
        partitions: partitionCount,
        replicas: replicationFactor,
        topicConfiguration: topicConfiguration(settings),
        bindingVersion: BINDING_VERSION,
      },
    },
  };
}

/** The settings that the binding has words for. */
function topicConfiguration(settings: Topic['settings']): object {
  return {
    'cleanup.policy': settings['cleanup.policy']?.split(','),
    'retention.ms': Number(settings['retention.ms']),
    'max.message.bytes': Number(settings['max.message.bytes']),
  };
}

function operationsOf(topic: Topic): [string, object][] {
  const channel = channelName(topic);
  const reference = { channel: { $ref: `#/channels/${channel}` } };
  const sent: [string, object] = [`send.${channel}`, { action: 'send', ...reference }];
  if (!RECEIVED.includes(topic.recordType)) return [sent];
  return [sent, [`receive.${channel}`, { action: 'receive', ...reference }]];
}

function messageOf(name: RecordTypeName): object {
  const { current } = RECORD_TYPES[name];
  const { name: title } = current.schema as AvroSchemaObject;
  const headers = HEADERS_OF[name].map((header) => [
    header,
    { type: 'string', description: HEADERS[header] },
  ]);
  const crc = fingerprint(canonicalForm(current.schema));
  return {
    name,
    title,
    summary: docOf(name),
    description: `Version ${current.number}; fingerprint ${crc}, as it stands in a record.`,
    contentType: 'avro/binary',
    ...(headers.length === 0
      ? {}
      : { headers: { type: 'object', properties: Object.fromEntries(headers) } }),
    payload: { schemaFormat: AVRO, schema: current.schema },
    bindings: {
      kafka: {
        key: { type: 'string', description: keyOf(name) },
        bindingVersion: BINDING_VERSION,
      },
    },
  };
}

function keyOf(name: RecordTypeName): string {
  return name === 'head-shadow' ? 'Task, both heads, consumer.' : 'Camera id.';
}

function docOf(name: RecordTypeName): string {
  return (RECORD_TYPES[name].current.schema as AvroSchemaObject).doc ?? '';
}
