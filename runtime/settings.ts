import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import type { BrokerSettings } from './broker.ts';
import { HalfsightError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { LogLevel } from './log.ts';
import type { MetricsExportSettings, OtlpProtocol } from './metrics/otlp.ts';
import type { RedisSettings } from './redis.ts';
import type { SpanExportSettings } from './span-export.ts';
import { type ListenAddress, readSecretFile, VariableReader } from './variable-reader.ts';

/**
 * Everything Halfsight reads from the environment, with its meaning: the one place of the program
 * that touches `process.env`. `OTEL_*` variables are read by the OpenTelemetry SDK itself, but for
 * those that say whether and how it exports.
 */
export const VARIABLES = {
  KAFKA_BROKERS: 'host:port, comma separated; unset: `npm start` runs a Kafka of its own',
  KAFKA_TLS: 'true to speak TLS to the brokers',
  KAFKA_TLS_CA_FILE: 'PEM file with the CA of the brokers',
  KAFKA_TLS_CERT_FILE: 'PEM file with the client certificate (mutual TLS)',
  KAFKA_TLS_KEY_FILE: 'PEM file with the client key (mutual TLS)',
  KAFKA_SASL_MECHANISM: 'plain, scram-sha-256 or scram-sha-512; together with TLS',
  KAFKA_SASL_USERNAME: 'SASL user',
  KAFKA_SASL_PASSWORD: 'SASL password; better KAFKA_SASL_PASSWORD_FILE',
  KAFKA_SASL_PASSWORD_FILE: 'file that holds the SASL password',
  KAFKA_GROUP_ID: 'consumer group of the inference consumers; default halfsight-inference',
  KAFKA_TOPIC_PREFIX: 'first part of every topic name; default halfsight',
  KAFKA_PARTITIONS: 'partitions of each topic when they are created; default 8',
  KAFKA_REPLICATION_FACTOR: 'replicas of each topic when they are created; default 1',
  REDIS_URL: 'redis://host:port or, with TLS, rediss://; unset: `npm start` runs one of its own',
  REDIS_PASSWORD: 'password of the user in REDIS_URL, or of the default user',
  REDIS_PASSWORD_FILE: 'file that holds the Redis password',
  REDIS_TLS_CA_FILE: 'PEM file with the CA of the Redis; for rediss:// only',
  SCHEMA_REGISTRY_URL: 'Confluent-style registry; unset: Avro single-object encoding',
  SCHEMA_REGISTRY_PASSWORD: 'password of the user in SCHEMA_REGISTRY_URL',
  SCHEMA_REGISTRY_PASSWORD_FILE: 'file that holds the password of the registry',
  SCHEMA_REGISTRY_TOKEN: 'bearer token for the registry; better SCHEMA_REGISTRY_TOKEN_FILE',
  SCHEMA_REGISTRY_TOKEN_FILE: 'file that holds the bearer token for the registry',
  SCHEMA_REGISTRY_TLS_CA_FILE: 'PEM file with the CA of the registry; for https:// only',
  HALFSIGHT_BUNDLE: 'folder of the bundle; default models/bundles/halfsight-lite0',
  HALFSIGHT_HEADS: 'heads a consumer runs, comma separated; default all heads of the bundle',
  HALFSIGHT_HEADS_DIRECTORY: 'folder of heads that came after their bundle; default none',
  HALFSIGHT_SHED_HEADS: 'heads left out under overload, in that order; default none',
  HALFSIGHT_SHED_AFTER_MS: 'age of a frame from which on they are left out; default 10000',
  HALFSIGHT_SKIP_AFTER_MS: 'age from which on no head runs on a frame; default: every frame is run',
  HALFSIGHT_COMMIT_INTERVAL_MS: `ms to wait for more; default ${LIMITS.transactionIntervalMs}`,
  HALFSIGHT_PROVIDER: 'ONNX Runtime execution provider: cpu, cuda or tensorrt; default cpu',
  HALFSIGHT_THREADS: 'threads of one ONNX Runtime session; default 1',
  HALFSIGHT_CONTROL_LISTEN: 'host:port of `npm run control`; default 127.0.0.1:8480',
  HALFSIGHT_CONTROL_TOKEN: 'bearer tokens of its clients; better HALFSIGHT_CONTROL_TOKEN_FILE',
  HALFSIGHT_CONTROL_TOKEN_FILE: 'file with a token, or NAME:TOKEN, a line',
  HALFSIGHT_WALL_LISTEN: 'host:port of `npm run wall`; default 127.0.0.1:8470',
  HALFSIGHT_WALL_TOKEN: 'tokens of those who may look; better HALFSIGHT_WALL_TOKEN_FILE',
  HALFSIGHT_WALL_TOKEN_FILE: 'file with a token, or NAME:TOKEN, a line',
  HALFSIGHT_WEBHOOKS: 'file of hooks; see consumers/webhooks/webhooks.example.yaml; default none',
  HALFSIGHT_HEALTH_LISTEN: 'host:port of /live, /ready, /startup and /metrics; default none',
  HALFSIGHT_LOG_LEVEL: 'debug, info, warn or error; default info',
  HALFSIGHT_LOG_FORMAT: 'json or text; default json',
  HALFSIGHT_CACHE: 'folder for downloaded jars; default ~/.cache/halfsight',
} as const;

type Variable = keyof typeof VARIABLES | 'XDG_CACHE_HOME' | 'OTEL_SDK_DISABLED' | OtelEndpoint;
type OtelEndpoint =
  | 'OTEL_BSP_EXPORT_TIMEOUT'
  | 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE'
  | 'OTEL_BSP_MAX_QUEUE_SIZE'
  | 'OTEL_BSP_SCHEDULE_DELAY'
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'
  | 'OTEL_EXPORTER_OTLP_PROTOCOL'
  | 'OTEL_METRICS_EXPORTER'
  | 'OTEL_METRIC_EXPORT_INTERVAL'
  | 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
  | 'OTEL_TRACES_EXPORTER';
type Variables = Readonly<Record<string, string | undefined>>;
type Reader = VariableReader<Variable>;

/** As `schemas/registry-line.ts` takes it. */
export interface SchemaRegistrySettings {
  /** With its user and password, if it wants any: not to be shown. */
  readonly url: string;
  readonly token: string | undefined;
  readonly tlsCa: string | undefined;
}

const DAY_MS = 86_400_000;
/** Of the wall, where nobody names another. */
export const DEFAULT_WALL_LISTEN: ListenAddress = { host: '127.0.0.1', port: 8470 };

export interface Environment {
  /** Undefined: nobody named a broker, so the local stack is wanted. */
  readonly kafkaBrokers: readonly string[] | undefined;
  readonly kafkaTls: BrokerSettings['tls'];
  readonly kafkaSasl: BrokerSettings['sasl'];
  readonly groupId: string;
  readonly topicPrefix: string;
  readonly partitionCount: number;
  readonly replicationFactor: number;
  readonly redisUrl: string | undefined;
  readonly redisPassword: string | undefined;
  readonly redisTlsCaFile: string | undefined;
  /** Undefined: records are in single-object encoding. */
  readonly schemaRegistry: SchemaRegistrySettings | undefined;
  readonly bundleDirectory: string;
  /** Undefined: all heads of the bundle. */
  readonly heads: readonly string[] | undefined;
  /** Undefined: only the bundle's own heads are run. */
  readonly headsDirectory: string | undefined;
  /** Undefined: none is ever left out. */
  readonly shedHeads: readonly string[] | undefined;
  readonly shedAfterMs: number;
  readonly skipAfterMs: number | undefined;
  readonly commitIntervalMs: number;
  readonly provider: 'cpu' | 'cuda' | 'tensorrt';
  readonly threads: number;
  readonly controlListen: ListenAddress;
  /** A token, or NAME:TOKEN, a line. Undefined: nobody is asked for one. */
  readonly controlTokens: string | undefined;
  /** Undefined: `DEFAULT_WALL_LISTEN`, or with `npm start`, where that is taken, another. */
  readonly wallListen: ListenAddress | undefined;
  /** As `controlTokens`. */
  readonly wallTokens: string | undefined;
  /** Undefined: there are no webhooks. */
  readonly webhooksFile: string | undefined;
  /** Undefined: no port is opened for health and metrics. */
  readonly healthListen: ListenAddress | undefined;
  /** Undefined: metrics are sent nowhere. */
  readonly metricsExport: MetricsExportSettings | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'text';
  readonly cacheDirectory: string;
  /** Whether an OpenTelemetry trace exporter is configured. */
  readonly tracingEnabled: boolean;
  /** Undefined: there is none, or it is not OTLP alone; then the SDK opens it. */
  readonly spanExport: SpanExportSettings | undefined;
  /** Whether any `OTEL_*` variable is set: whoever did so decides where spans go. */
  readonly namesTelemetry: boolean;
  /** `${NAME}` in a config file: NAME, or the content of the file that NAME_FILE names. */
  readonly lookup: (name: string) => string | undefined;
}

/** Reads and checks all variables; throws one `settings-invalid` that lists every mistake. */
export function readEnvironment(variables: Variables = process.env): Environment {
  const reader: Reader = new VariableReader(variables);
  const environment: Environment = {
    kafkaBrokers: reader.brokers('KAFKA_BROKERS'),
    kafkaTls: readTls(reader),
    kafkaSasl: readSasl(reader),
    groupId: reader.text('KAFKA_GROUP_ID') ?? 'halfsight-inference',
    topicPrefix: reader.matching('KAFKA_TOPIC_PREFIX', /^[A-Za-z0-9_-]{1,60}$/) ?? 'halfsight',
    partitionCount: reader.integer('KAFKA_PARTITIONS', 1, 1024) ?? 8,
    replicationFactor: reader.integer('KAFKA_REPLICATION_FACTOR', 1, 15) ?? 1,
    ...readRedis(reader),
    schemaRegistry: readSchemaRegistry(reader),
    bundleDirectory:
      reader.text('HALFSIGHT_BUNDLE') ??
      join(import.meta.dirname, '..', 'models', 'bundles', 'halfsight-lite0'),
    heads: reader.list('HALFSIGHT_HEADS'),
    headsDirectory: reader.text('HALFSIGHT_HEADS_DIRECTORY'),
    shedHeads: reader.list('HALFSIGHT_SHED_HEADS'),
    shedAfterMs: reader.integer('HALFSIGHT_SHED_AFTER_MS', 100, DAY_MS) ?? 10_000,
    commitIntervalMs:
      reader.integer('HALFSIGHT_COMMIT_INTERVAL_MS', 0, LIMITS.transactionTimeoutMs / 2) ??
      LIMITS.transactionIntervalMs,
    skipAfterMs: reader.integer('HALFSIGHT_SKIP_AFTER_MS', 100, DAY_MS),
    provider: reader.oneOf('HALFSIGHT_PROVIDER', ['cpu', 'cuda', 'tensorrt']) ?? 'cpu',
    threads: reader.integer('HALFSIGHT_THREADS', 1, 256) ?? 1,
    controlListen: reader.listen('HALFSIGHT_CONTROL_LISTEN') ?? { host: '127.0.0.1', port: 8480 },
    controlTokens: reader.secret('HALFSIGHT_CONTROL_TOKEN', 'HALFSIGHT_CONTROL_TOKEN_FILE'),
    wallListen: reader.listen('HALFSIGHT_WALL_LISTEN'),
    wallTokens: reader.secret('HALFSIGHT_WALL_TOKEN', 'HALFSIGHT_WALL_TOKEN_FILE'),
    webhooksFile: reader.text('HALFSIGHT_WEBHOOKS'),
    healthListen: reader.listen('HALFSIGHT_HEALTH_LISTEN'),
    metricsExport: readMetricsExport(reader),
    logLevel: reader.oneOf('HALFSIGHT_LOG_LEVEL', ['debug', 'info', 'warn', 'error']) ?? 'info',
    logFormat: reader.oneOf('HALFSIGHT_LOG_FORMAT', ['json', 'text']) ?? 'json',
    cacheDirectory: cacheDirectory(reader),
    tracingEnabled: tracingEnabled(reader),
    spanExport: readSpanExport(reader),
    namesTelemetry: Object.entries(variables).some(
      ([name, value]) => name.startsWith('OTEL_') && value !== undefined && value !== '',
    ),
    lookup: (name) => lookUp(variables, name),
  };
  reader.finish();
  return environment;
}

/** The environment for a child process: ours, with some variables set. */
export function childVariables(
  changes: Readonly<Partial<Record<Variable, string>>>,
): Readonly<Record<string, string | undefined>> {
  return { ...process.env, ...changes };
}

/** How to reach the brokers that the environment (or, failing that, the local stack) names. */
export function brokerSettings(
  environment: Environment,
  role: string,
  brokers: readonly string[] | undefined = environment.kafkaBrokers,
): BrokerSettings {
  if (brokers === undefined || brokers.length === 0) {
    throw new HalfsightError('settings-invalid', 'no Kafka broker is named.', {
      advice: 'Set KAFKA_BROKERS=host:port, or run `npm start`, which brings a Kafka of its own.',
    });
  }
  return {
    brokers,
    clientId: `halfsight-${role}-${hostname()}`,
    tls: environment.kafkaTls,
    sasl: environment.kafkaSasl,
  };
}

/** How to reach the Redis that the environment names. */
export function redisSettings(environment: Environment): RedisSettings {
  const { redisUrl: url, redisPassword: password, redisTlsCaFile: tlsCaFile } = environment;
  if (url === undefined) {
    throw new HalfsightError('settings-invalid', 'no Redis is named.', {
      advice: 'Set REDIS_URL=redis://host:port, or rediss:// for TLS.',
    });
  }
  return { url, password, tlsCaFile };
}

function readTls(reader: Reader): BrokerSettings['tls'] {
  const files = {
    caFile: reader.text('KAFKA_TLS_CA_FILE'),
    certFile: reader.text('KAFKA_TLS_CERT_FILE'),
    keyFile: reader.text('KAFKA_TLS_KEY_FILE'),
  };
  const given = Object.entries(files).filter(([, file]) => file !== undefined);
  if ((files.certFile === undefined) !== (files.keyFile === undefined)) {
    reader.reject('KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE must be given together');
  }
  const wanted = reader.oneOf('KAFKA_TLS', ['true', 'false']);
  if (wanted === 'false' && given.length > 0) {
    reader.reject('KAFKA_TLS=false contradicts the KAFKA_TLS_*_FILE variables');
  }
  return wanted === 'true' || given.length > 0 ? Object.fromEntries(given) : undefined;
}

function readSasl(reader: Reader): BrokerSettings['sasl'] {
  const mechanism = reader.oneOf('KAFKA_SASL_MECHANISM', [
    'plain',
    'scram-sha-256',
    'scram-sha-512',
  ]);
  const username = reader.text('KAFKA_SASL_USERNAME');
  const password = reader.secret('KAFKA_SASL_PASSWORD', 'KAFKA_SASL_PASSWORD_FILE');
  const isPasswordSet =
    reader.text('KAFKA_SASL_PASSWORD') !== undefined ||
    reader.text('KAFKA_SASL_PASSWORD_FILE') !== undefined;
  const isMechanismSet = reader.text('KAFKA_SASL_MECHANISM') !== undefined;
  if (!isMechanismSet && username === undefined && !isPasswordSet) return undefined;
  if (!isMechanismSet || username === undefined || !isPasswordSet) {
    reader.reject(
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD(_FILE) belong together',
    );
    return undefined;
  }
  // One of them is wrong in itself, which was told already.
  if (mechanism === undefined || password === undefined) return undefined;
  return { mechanism, username, password };
}

function readRedis(
  reader: Reader,
): Pick<Environment, 'redisUrl' | 'redisPassword' | 'redisTlsCaFile'> {
  const redisUrl = reader.url('REDIS_URL', ['redis:', 'rediss:']);
  const redisPassword = reader.secret('REDIS_PASSWORD', 'REDIS_PASSWORD_FILE');
  const redisTlsCaFile = reader.text('REDIS_TLS_CA_FILE');
  const url = redisUrl === undefined ? undefined : new URL(redisUrl);
  if (redisPassword !== undefined && url !== undefined && url.password !== '') {
    reader.reject('REDIS_PASSWORD(_FILE) is set, and REDIS_URL holds a password: keep one');
  }
  if (redisTlsCaFile !== undefined && url !== undefined && url.protocol !== 'rediss:') {
    reader.reject('REDIS_TLS_CA_FILE is set, but REDIS_URL is without TLS: write rediss://');
  }
  return { redisUrl, redisPassword, redisTlsCaFile };
}

function readSchemaRegistry(reader: Reader): SchemaRegistrySettings | undefined {
  const url = readRegistryUrl(reader);
  const token = reader.secret('SCHEMA_REGISTRY_TOKEN', 'SCHEMA_REGISTRY_TOKEN_FILE');
  const tlsCa = reader.content('SCHEMA_REGISTRY_TLS_CA_FILE');
  if (url === undefined) return undefined;
  if (token !== undefined && url.username !== '') {
    reader.reject(
      'SCHEMA_REGISTRY_TOKEN(_FILE) is set, and SCHEMA_REGISTRY_URL has a user: keep one',
    );
  }
  if (tlsCa !== undefined && url.protocol !== 'https:') {
    reader.reject('SCHEMA_REGISTRY_TLS_CA_FILE is set, but SCHEMA_REGISTRY_URL is not https://');
  }
  return { url: url.href, token, tlsCa };
}

/** With the password in it. */
function readRegistryUrl(reader: Reader): URL | undefined {
  const written = reader.url('SCHEMA_REGISTRY_URL', ['http:', 'https:']);
  const password = reader.secret('SCHEMA_REGISTRY_PASSWORD', 'SCHEMA_REGISTRY_PASSWORD_FILE');
  if (written === undefined) return undefined;
  const url = new URL(written);
  if (password === undefined) return url;
  if (url.username === '') {
    reader.reject('SCHEMA_REGISTRY_PASSWORD(_FILE) needs a user in SCHEMA_REGISTRY_URL: user@host');
  }
  if (url.password !== '') {
    reader.reject(
      'SCHEMA_REGISTRY_PASSWORD(_FILE) is set, and so is a password in the URL: keep one',
    );
  }
  // The setter of URL leaves a "%" as it is.
  url.password = encodeURIComponent(password);
  return url;
}

function lookUp(variables: Variables, name: string): string | undefined {
  const file = variables[`${name}_FILE`];
  if (file === undefined || file === '') return variables[name];
  if (variables[name] !== undefined) {
    throw new HalfsightError('settings-invalid', `${name} and ${name}_FILE are both set.`, {
      advice: 'Keep one of them, better the file.',
    });
  }
  try {
    return readSecretFile(file);
  } catch (cause) {
    const message = `${name}_FILE=${file} cannot be read (${(cause as Error).message}).`;
    throw new HalfsightError('settings-invalid', message, { cause });
  }
}

function cacheDirectory(reader: Reader): string {
  const named = reader.text('HALFSIGHT_CACHE');
  if (named !== undefined) return named;
  return join(reader.text('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'halfsight');
}

function tracingEnabled(reader: Reader): boolean {
  if (reader.text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return false;
  const exporter = reader.text('OTEL_TRACES_EXPORTER');
  if (exporter !== undefined) return exporter !== 'none';
  return (
    reader.text('OTEL_EXPORTER_OTLP_ENDPOINT') !== undefined ||
    reader.text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== undefined
  );
}

/** With OpenTelemetry's own defaults. */
function readSpanExport(reader: Reader): SpanExportSettings | undefined {
  const exporters = reader.list('OTEL_TRACES_EXPORTER') ?? ['otlp'];
  if (!tracingEnabled(reader) || exporters.join() !== 'otlp') return undefined;
  return {
    protocol: readOtlpProtocol(reader, 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'),
    maxQueueSize: reader.integer('OTEL_BSP_MAX_QUEUE_SIZE', 1, 1e6) ?? 2_048,
    maxExportBatchSize: reader.integer('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 1, 1e6) ?? 512,
    scheduledDelayMillis: reader.integer('OTEL_BSP_SCHEDULE_DELAY', 1, DAY_MS) ?? 5_000,
    exportTimeoutMillis: reader.integer('OTEL_BSP_EXPORT_TIMEOUT', 1, DAY_MS) ?? 30_000,
  };
}

/** OpenTelemetry's own defaults where it has any; an endpoint of all signals is that of traces. */
function readMetricsExport(reader: Reader): MetricsExportSettings | undefined {
  if (reader.text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  const exporters = reader.list('OTEL_METRICS_EXPORTER');
  const isWanted =
    exporters?.includes('otlp') ?? reader.text('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT') !== undefined;
  if (!isWanted) return undefined;
  return {
    protocol: readOtlpProtocol(reader, 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'),
    intervalMs: reader.integer('OTEL_METRIC_EXPORT_INTERVAL', 100, DAY_MS) ?? 60_000,
  };
}

function readOtlpProtocol(
  reader: Reader,
  ofSignal: 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL' | 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
): OtlpProtocol {
  const protocols = ['http/protobuf', 'http/json', 'grpc'] as const;
  return (
    reader.oneOf(ofSignal, protocols) ??
    reader.oneOf('OTEL_EXPORTER_OTLP_PROTOCOL', protocols) ??
    'http/protobuf'
  );
}
