import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';

function failure(variables: Record<string, string>): HalfsightError {
  try {
    readEnvironment(variables);
  } catch (error) {
    if (error instanceof HalfsightError) return error;
    throw error;
  }
  throw new Error('the environment was accepted');
}

describe('readEnvironment', () => {
  it('has a default for everything', () => {
    const environment = readEnvironment({});
    expect(environment.kafkaBrokers).toBeUndefined();
    expect(environment.topicPrefix).toBe('halfsight');
    expect(environment.provider).toBe('cpu');
    expect(environment.tracingEnabled).toBe(false);
  });

  it('sends metrics where OpenTelemetry is told to, and not for the sake of traces', () => {
    const read = (variables: Record<string, string>) => readEnvironment(variables).metricsExport;
    expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })).toBeUndefined();
    expect(read({ OTEL_METRICS_EXPORTER: 'none' })).toBeUndefined();
    expect(read({ OTEL_METRICS_EXPORTER: 'otlp' })).toEqual({
      protocol: 'http/protobuf',
      intervalMs: 60_000,
    });
    const named = {
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://collector:4318/v1/metrics',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
    };
    expect(read(named)).toEqual({ protocol: 'grpc', intervalMs: 5_000 });
    expect(read({ ...named, OTEL_METRICS_EXPORTER: 'console' })).toBeUndefined();
    expect(read({ ...named, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    const wrong = { ...named, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'udp' };
    expect(failure(wrong).message).toContain('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL');
  });

  it('sends spans in batches as OpenTelemetry says, unless they go elsewhere too', () => {
    const read = (variables: Record<string, string>) => readEnvironment(variables).spanExport;
    const named = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
    expect(read({})).toBeUndefined();
    expect(read(named)).toEqual({
      protocol: 'http/protobuf',
      maxQueueSize: 2_048,
      maxExportBatchSize: 512,
      scheduledDelayMillis: 5_000,
      exportTimeoutMillis: 30_000,
    });
    const changes = { OTEL_BSP_SCHEDULE_DELAY: '200', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' };
    expect(read({ OTEL_TRACES_EXPORTER: 'otlp', ...changes })).toMatchObject({
      protocol: 'grpc',
      scheduledDelayMillis: 200,
    });
    expect(read({ ...named, OTEL_TRACES_EXPORTER: 'otlp,console' })).toBeUndefined();
    expect(read({ ...named, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    const wrong = { ...named, OTEL_BSP_MAX_QUEUE_SIZE: 'many' };
    expect(failure(wrong).message).toContain('OTEL_BSP_MAX_QUEUE_SIZE');
  });

  it('treats an empty variable as unset', () => {
    expect(readEnvironment({ KAFKA_BROKERS: ' ' }).kafkaBrokers).toBeUndefined();
  });

  it('lists every mistake at once, each with the name of its variable', () => {
    const error = failure({ KAFKA_BROKERS: 'nohost', KAFKA_PARTITIONS: '0', REDIS_URL: 'x' });
    expect(error.code).toBe('settings-invalid');
    for (const name of ['KAFKA_BROKERS', 'KAFKA_PARTITIONS', 'REDIS_URL']) {
      expect(error.message).toContain(name);
    }
  });

  it('wants the parts of SASL together and never shows the password', () => {
    const error = failure({ KAFKA_SASL_PASSWORD: 'hunter2' });
    expect(error.message).toContain('KAFKA_SASL_MECHANISM');
    expect(error.message).not.toContain('hunter2');
  });

  it('reads a secret from a file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'password');
    writeFileSync(file, 'from-file\n');
    const environment = readEnvironment({
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'camera',
      KAFKA_SASL_PASSWORD_FILE: file,
    });
    expect(environment.kafkaSasl?.password).toBe('from-file');
  });

  it('wants a secret once, readable and not empty', () => {
    const folder = mkdtempSync(join(tmpdir(), 'halfsight-'));
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const sasl = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'camera' };
    const secret = file('secret', 'hunter2');
    const both = { ...sasl, KAFKA_SASL_PASSWORD: 'hunter3', KAFKA_SASL_PASSWORD_FILE: secret };
    expect(failure(both).message).toBe(
      'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set: keep one, better the file.',
    );
    const empty = file('empty', '\n');
    expect(failure({ ...sasl, KAFKA_SASL_PASSWORD_FILE: empty }).message).toBe(
      `KAFKA_SASL_PASSWORD_FILE=${empty} cannot be read (it is empty).`,
    );
    const missing = join(folder, 'missing');
    const message = failure({ ...sasl, KAFKA_SASL_PASSWORD_FILE: missing }).message;
    expect(message).toMatch(/^KAFKA_SASL_PASSWORD_FILE=.*ENOENT/);
    const spaces = { ...sasl, KAFKA_SASL_PASSWORD_FILE: file('spaces', ' two words \r\n') };
    expect(readEnvironment(spaces).kafkaSasl?.password).toBe(' two words ');
  });

  it('takes the name of the mechanism as Kafka writes it', () => {
    const environment = readEnvironment({
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'camera',
      KAFKA_SASL_PASSWORD: 'secret',
    });
    expect(environment.kafkaSasl?.mechanism).toBe('scram-sha-512');
  });

  it.each([
    { REDIS_URL: 'redis:default:hunter2@host:6379' },
    { REDIS_URL: 'http://default:hunter2@host:6379' },
    { REDIS_URL: 'default:hunter2@host:6379' },
    { REDIS_URL: 'redis://default:hunter2%@host:6379' },
    { SCHEMA_REGISTRY_URL: 'reader:hunter2@registry:8081' },
    { SCHEMA_REGISTRY_URL: 'ftp://reader:hunter2@registry:8081' },
    { KAFKA_BROKERS: 'camera:hunter2@host:9092' },
    { KAFKA_BROKERS: 'kafka://camera:hunter2@host' },
    { REDIS_URL: 'redis://:hunter2@host', REDIS_PASSWORD: 'hunter2' },
  ])('shows no part of an address that may be a password: %o', (variables) => {
    const error = failure(variables);
    expect(error.message).toContain(Object.keys(variables)[0]);
    expect(describeError(error)).not.toContain('hunter2');
  });

  it('puts the password of the schema registry where its user stands', () => {
    const registry = { SCHEMA_REGISTRY_URL: 'https://reader@registry:8081/path' };
    const password = { SCHEMA_REGISTRY_PASSWORD: 'p@ss%:/' };
    const { schemaRegistry } = readEnvironment({ ...registry, ...password });
    expect(schemaRegistry?.url).toBe('https://reader:p%40ss%25%3A%2F@registry:8081/path');
    const nameless = { SCHEMA_REGISTRY_URL: 'https://registry:8081', ...password };
    expect(failure(nameless).message).toContain('needs a user');
  });

  it('takes a token and a CA for the schema registry, where they make sense', () => {
    const token = { SCHEMA_REGISTRY_TOKEN: 't0ken' };
    const named = { ...token, SCHEMA_REGISTRY_URL: 'https://registry:8081' };
    expect(readEnvironment(named).schemaRegistry?.token).toBe('t0ken');
    const twice = { ...token, SCHEMA_REGISTRY_URL: 'https://reader@registry:8081' };
    expect(failure(twice).message).toContain('keep one');
    const file = join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'ca.pem');
    const ca = { SCHEMA_REGISTRY_TLS_CA_FILE: file };
    expect(failure({ ...named, ...ca }).message).toContain('cannot be read');
    writeFileSync(file, 'a certificate');
    expect(readEnvironment({ ...named, ...ca }).schemaRegistry?.tlsCa).toBe('a certificate');
    const plain = { SCHEMA_REGISTRY_URL: 'http://registry:8081', ...ca };
    expect(failure(plain).message).toContain('is not https://');
  });

  it('looks up what a config file refers to, also in the file that NAME_FILE names', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'gate');
    writeFileSync(file, 'from-file\n');
    const variables = { YARD: 'direct', GATE_FILE: file, ROOM: 'twice', ROOM_FILE: file };
    const { lookup } = readEnvironment(variables);
    expect(lookup('YARD')).toBe('direct');
    expect(lookup('GATE')).toBe('from-file');
    expect(lookup('LOBBY')).toBeUndefined();
    expect(() => lookup('ROOM')).toThrow('ROOM and ROOM_FILE are both set');
    const broken = readEnvironment({ GATE_FILE: '/nowhere/gate' });
    expect(() => broken.lookup('GATE')).toThrow('GATE_FILE=/nowhere/gate cannot be read');
  });

  it('turns tracing on only where an exporter is configured', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    expect(readEnvironment(endpoint).tracingEnabled).toBe(true);
    expect(readEnvironment({ ...endpoint, OTEL_SDK_DISABLED: 'true' }).tracingEnabled).toBe(false);
    expect(readEnvironment({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }).tracingEnabled).toBe(
      false,
    );
  });
});

describe('brokerSettings', () => {
  it('says what to do when no broker is named', () => {
    expect(() => brokerSettings(readEnvironment({}), 'test')).toThrow(/no Kafka broker/);
  });

  it('takes TLS as soon as one of its files is named', () => {
    const environment = readEnvironment({ KAFKA_TLS_CA_FILE: '/ca.pem', KAFKA_BROKERS: 'a:1' });
    expect(brokerSettings(environment, 'test').tls).toEqual({ caFile: '/ca.pem' });
  });
});

describe('redisSettings', () => {
  it('says what to do when no Redis is named', () => {
    expect(() => redisSettings(readEnvironment({}))).toThrow(/no Redis is named/);
  });

  it('takes a CA for TLS only', () => {
    const ca = { REDIS_TLS_CA_FILE: '/ca.pem' };
    expect(failure({ ...ca, REDIS_URL: 'redis://r' }).message).toContain('write rediss://');
    const environment = readEnvironment({ ...ca, REDIS_URL: 'rediss://r', REDIS_PASSWORD: 'x' });
    expect(redisSettings(environment)).toEqual({
      url: 'rediss://r',
      password: 'x',
      tlsCaFile: '/ca.pem',
    });
  });
});
