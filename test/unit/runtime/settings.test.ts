import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HalfsightError } from '#runtime/errors.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';

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
