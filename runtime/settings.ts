import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import type { BrokerSettings } from './broker.ts';
import { HalfsightError } from './errors.ts';
import type { LogLevel } from './log.ts';

/**
 * Everything Halfsight reads from the environment, with its meaning: the one place of the program
 * that touches `process.env`. `OTEL_*` variables are read by the OpenTelemetry SDK itself.
 */
export const VARIABLES = {
  KAFKA_BROKERS: 'host:port, comma separated; unset: `npm start` runs a Kafka of its own',
  KAFKA_TLS: 'true to speak TLS to the brokers',
  KAFKA_TLS_CA_FILE: 'PEM file with the CA of the brokers',
  KAFKA_TLS_CERT_FILE: 'PEM file with the client certificate (mutual TLS)',
  KAFKA_TLS_KEY_FILE: 'PEM file with the client key (mutual TLS)',
  KAFKA_SASL_MECHANISM: 'plain, scram-sha-256 or scram-sha-512',
  KAFKA_SASL_USERNAME: 'SASL user',
  KAFKA_SASL_PASSWORD: 'SASL password; better KAFKA_SASL_PASSWORD_FILE',
  KAFKA_SASL_PASSWORD_FILE: 'file that holds the SASL password',
  KAFKA_GROUP_ID: 'consumer group of the inference consumers; default halfsight-inference',
  KAFKA_TOPIC_PREFIX: 'first part of every topic name; default halfsight',
  KAFKA_PARTITIONS: 'partitions of each topic when they are created; default 8',
  KAFKA_REPLICATION_FACTOR: 'replicas of each topic when they are created; default 1',
  REDIS_URL: 'redis://host:port; unset: `npm start` runs a Redis of its own',
  SCHEMA_REGISTRY_URL: 'Confluent-style registry; unset: Avro single-object encoding',
  HALFSIGHT_BUNDLE: 'folder of the bundle; default models/bundles/halfsight-lite0',
  HALFSIGHT_HEADS: 'heads a consumer runs, comma separated; default all heads of the bundle',
  HALFSIGHT_PROVIDER: 'ONNX Runtime execution provider: cpu, cuda or tensorrt; default cpu',
  HALFSIGHT_THREADS: 'threads of one ONNX Runtime session; default 1',
  HALFSIGHT_LOG_LEVEL: 'debug, info, warn or error; default info',
  HALFSIGHT_LOG_FORMAT: 'json or text; default json',
  HALFSIGHT_CACHE: 'folder for downloaded jars; default ~/.cache/halfsight',
} as const;

type Variable = keyof typeof VARIABLES | 'XDG_CACHE_HOME' | 'OTEL_SDK_DISABLED' | OtelEndpoint;
type OtelEndpoint =
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  | 'OTEL_TRACES_EXPORTER';
type Variables = Readonly<Record<string, string | undefined>>;

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
  readonly schemaRegistryUrl: string | undefined;
  readonly bundleDirectory: string;
  /** Undefined: all heads of the bundle. */
  readonly heads: readonly string[] | undefined;
  readonly provider: 'cpu' | 'cuda' | 'tensorrt';
  readonly threads: number;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'text';
  readonly cacheDirectory: string;
  /** Whether an OpenTelemetry trace exporter is configured. */
  readonly tracingEnabled: boolean;
  /** `${NAME}` in a config file. */
  readonly lookup: (name: string) => string | undefined;
}

/** Reads and checks all variables; throws one `settings-invalid` that lists every mistake. */
export function readEnvironment(variables: Variables = process.env): Environment {
  const reader = new Reader(variables);
  const environment: Environment = {
    kafkaBrokers: reader.brokers('KAFKA_BROKERS'),
    kafkaTls: readTls(reader),
    kafkaSasl: readSasl(reader),
    groupId: reader.text('KAFKA_GROUP_ID') ?? 'halfsight-inference',
    topicPrefix: reader.matching('KAFKA_TOPIC_PREFIX', /^[A-Za-z0-9_-]{1,60}$/) ?? 'halfsight',
    partitionCount: reader.integer('KAFKA_PARTITIONS', 1, 1024) ?? 8,
    replicationFactor: reader.integer('KAFKA_REPLICATION_FACTOR', 1, 15) ?? 1,
    redisUrl: reader.matching('REDIS_URL', /^rediss?:\/\/.+/),
    schemaRegistryUrl: reader.matching('SCHEMA_REGISTRY_URL', /^https?:\/\/.+/),
    bundleDirectory:
      reader.text('HALFSIGHT_BUNDLE') ??
      join(import.meta.dirname, '..', 'models', 'bundles', 'halfsight-lite0'),
    heads: reader.list('HALFSIGHT_HEADS'),
    provider: reader.oneOf('HALFSIGHT_PROVIDER', ['cpu', 'cuda', 'tensorrt']) ?? 'cpu',
    threads: reader.integer('HALFSIGHT_THREADS', 1, 256) ?? 1,
    logLevel: reader.oneOf('HALFSIGHT_LOG_LEVEL', ['debug', 'info', 'warn', 'error']) ?? 'info',
    logFormat: reader.oneOf('HALFSIGHT_LOG_FORMAT', ['json', 'text']) ?? 'json',
    cacheDirectory: cacheDirectory(reader),
    tracingEnabled: tracingEnabled(reader),
    lookup: (name) => variables[name],
  };
  reader.finish();
  return environment;
}

/** The environment for a child process: ours, with some variables set. */
export function childVariables(
  changes: Readonly<Partial<Record<keyof typeof VARIABLES, string>>>,
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
  if (mechanism === undefined && username === undefined && password === undefined) return undefined;
  if (mechanism === undefined || username === undefined || password === undefined) {
    reader.reject(
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD(_FILE) belong together',
    );
    return undefined;
  }
  return { mechanism, username, password };
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

/** Reads variables one by one and collects what is wrong with them. */
class Reader {
  readonly #variables: Variables;
  readonly #problems: string[] = [];

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  reject(problem: string): void {
    this.#problems.push(problem);
  }

  finish(): void {
    if (this.#problems.length === 0) return;
    throw new HalfsightError('settings-invalid', `${this.#problems.join('; ')}.`, {
      advice: 'Correct the environment variables named above.',
    });
  }

  text(name: Variable): string | undefined {
    const value = this.#variables[name]?.trim();
    return value === '' ? undefined : value;
  }

  matching(name: Variable, pattern: RegExp): string | undefined {
    const value = this.text(name);
    if (value === undefined || pattern.test(value)) return value;
    this.reject(`${name}=${value} does not match ${pattern.source}`);
    return undefined;
  }

  oneOf<const Choice extends string>(
    name: Variable,
    choices: readonly Choice[],
  ): Choice | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) this.reject(`${name}=${value} is none of ${choices.join(', ')}`);
    return choice;
  }

  integer(name: Variable, min: number, max: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    this.reject(`${name}=${value} is no whole number from ${min} to ${max}`);
    return undefined;
  }

  list(name: Variable): readonly string[] | undefined {
    const parts = this.text(name)
      ?.split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    return parts === undefined || parts.length === 0 ? undefined : parts;
  }

  brokers(name: Variable): readonly string[] | undefined {
    const brokers = this.list(name);
    for (const broker of brokers ?? []) {
      if (!/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/.test(broker)) {
        this.reject(`${name}: "${broker}" is no host:port`);
      }
    }
    return brokers;
  }

  /** A secret given directly or through a file. Its value never appears in an error. */
  secret(name: Variable, fileName: Variable): string | undefined {
    const file = this.text(fileName);
    if (file === undefined) return this.text(name);
    if (this.text(name) !== undefined) this.reject(`${name} and ${fileName} are both set`);
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (error) {
      this.reject(`${fileName}=${file} cannot be read (${(error as Error).message})`);
      return undefined;
    }
  }
}
