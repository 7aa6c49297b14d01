import { describe, expect, it } from 'vitest';
import { AssertionError } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { errorType, toHalfsightError } from '#runtime/kafka/kafka-error.ts';

/** Errors in the shapes in which kafkajs throws them. */
const protocol = (type: string, message = type) =>
  Object.assign(new Error(message), { name: 'KafkaJSProtocolError', type });
const wrapped = (cause: Error) =>
  Object.assign(new Error('wrapped', { cause }), { name: 'KafkaJSNumberOfRetriesExceeded' });
const named = (name: string, message: string) => Object.assign(new Error(message), { name });

describe('toHalfsightError', () => {
  it.each([
    ['a fenced producer', protocol('INVALID_PRODUCER_EPOCH'), 'broker-fenced'],
    ['code 90, which kafkajs does not know', named('X', 'Unknown error code 90'), 'broker-fenced'],
    ['a refused topic', protocol('TOPIC_AUTHORIZATION_FAILED'), 'broker-refused'],
    ['a refused group', protocol('GROUP_AUTHORIZATION_FAILED'), 'broker-refused'],
    ['a wrong password', named('KafkaJSSASLAuthenticationError', 'no'), 'broker-refused'],
    ['another CA', named('KafkaJSConnectionError', 'self-signed certificate'), 'broker-refused'],
    ['a large record', protocol('MESSAGE_TOO_LARGE'), 'record-too-large'],
    ['a topic that moves', protocol('UNKNOWN_TOPIC_OR_PARTITION'), 'broker-unavailable'],
    ['nobody there', named('KafkaJSConnectionError', 'ECONNREFUSED h:1'), 'broker-unavailable'],
    ['a time-out', named('KafkaJSRequestTimeoutError', 'timed out'), 'broker-unavailable'],
  ])('%s, also inside wrappers', (_, error, code) => {
    for (const thrown of [error, wrapped(error), wrapped(wrapped(error))]) {
      const failure = toHalfsightError(thrown, 'doing this');
      expect(failure.code).toBe(code);
      expect(failure.message).toBe(`doing this: ${error.message}.`);
    }
  });

  it('what a person can mend comes with advice', () => {
    const advice = (error: Error) => toHalfsightError(wrapped(error), 'x').advice;
    expect(advice(protocol('UNKNOWN_TOPIC_OR_PARTITION'))).toContain('npm run topics');
    expect(advice(protocol('GROUP_AUTHORIZATION_FAILED'))).toContain('npm run acls');
    expect(advice(named('KafkaJSSASLAuthenticationError', 'no'))).toContain('KAFKA_SASL_USERNAME');
    expect(advice(protocol('UNSUPPORTED_SASL_MECHANISM'))).toContain('KAFKA_SASL_MECHANISM');
    expect(advice(named('X', 'self-signed certificate'))).toContain('KAFKA_TLS_CA_FILE');
    expect(advice(protocol('SECURITY_DISABLED'))).toContain('authorizer');
    expect(advice(protocol('INVALID_REPLICATION_FACTOR'))).toContain('settings');
    expect(advice(named('KafkaJSConnectionError', 'Closed connection'))).toContain('TLS');
    expect(advice(named('KafkaJSConnectionError', 'ECONNREFUSED'))).not.toContain('TLS');
  });

  it('looks into a call about several topics', () => {
    const inner = protocol('INVALID_REPLICATION_FACTOR', 'larger than available brokers');
    const errors = Object.assign(new Error('Topic creation errors'), { errors: [inner] });
    expect(errorType(errors)).toBe('INVALID_REPLICATION_FACTOR');
    const failure = toHalfsightError(errors, 'creating topics');
    expect(failure.code).toBe('broker-refused');
    expect(failure.message).toContain('larger than available brokers');
  });

  it('leaves ours as they are, and a failed assertion a crash', () => {
    const ours = new HalfsightError('topic-missing', 'gone');
    expect(toHalfsightError(ours, 'x')).toBe(ours);
    const mistake = new AssertionError('a mistake');
    expect(() => toHalfsightError(mistake, 'x')).toThrow(mistake);
  });
});
