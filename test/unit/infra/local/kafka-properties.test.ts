import { describe, expect, it } from 'vitest';
import { kafkaProperties } from '#infra/local/kafka-properties.ts';
import { defined } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';

const NODES = [1, 2, 3].map((id) => ({
  id,
  brokerPort: 20000 + id,
  controllerPort: 21000 + id,
}));

function parse(text: string): Map<string, string> {
  return new Map(
    text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)] as const;
      }),
  );
}

describe('kafkaProperties', () => {
  it('one broker: alone in everything', () => {
    const properties = parse(
      kafkaProperties(defined(NODES[0], 'node 1'), NODES.slice(0, 1), '/data'),
    );
    expect(properties.get('controller.quorum.voters')).toBe('1@127.0.0.1:21001');
    expect(properties.get('advertised.listeners')).toBe('PLAINTEXT://127.0.0.1:20001');
    expect(properties.get('offsets.topic.replication.factor')).toBe('1');
    expect(properties.get('min.insync.replicas')).toBe('1');
    expect(properties.get('log.dirs')).toBe('/data');
  });

  it('three brokers: three replicas, two in sync, all voters', () => {
    const properties = parse(kafkaProperties(defined(NODES[1], 'node 2'), NODES, '/data'));
    expect(properties.get('node.id')).toBe('2');
    expect(properties.get('controller.quorum.voters')).toBe(
      '1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003',
    );
    expect(properties.get('transaction.state.log.replication.factor')).toBe('3');
    expect(properties.get('transaction.state.log.min.isr')).toBe('2');
    expect(properties.get('min.insync.replicas')).toBe('2');
  });

  it('listens on this machine only, and takes messages up to the limit', () => {
    const properties = parse(kafkaProperties(defined(NODES[0], 'node 1'), NODES, '/data'));
    expect(properties.get('listeners')).toBe(
      'PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:21001',
    );
    expect(properties.get('message.max.bytes')).toBe(String(LIMITS.messageBytesMax));
    expect(properties.get('auto.create.topics.enable')).toBe('false');
  });

  it('tells the clients of an extra listener where to come, and the others nothing of it', () => {
    const node = {
      ...defined(NODES[0], 'node 1'),
      extraListeners: [
        { name: 'SCRAM', protocol: 'SASL_SSL' as const, port: 22001 },
        { name: 'PROXIED', protocol: 'PLAINTEXT' as const, port: 22002, advertisedPort: 29001 },
      ],
    };
    const properties = parse(kafkaProperties(node, [node], '/data', { 'super.users': 'User:a' }));
    expect(properties.get('listeners')).toBe(
      'PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:21001,' +
        'SCRAM://127.0.0.1:22001,PROXIED://127.0.0.1:22002',
    );
    expect(properties.get('advertised.listeners')).toBe(
      'PLAINTEXT://127.0.0.1:20001,SCRAM://127.0.0.1:22001,PROXIED://127.0.0.1:29001',
    );
    expect(properties.get('listener.security.protocol.map')).toBe(
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SCRAM:SASL_SSL,PROXIED:PLAINTEXT',
    );
    expect(properties.get('inter.broker.listener.name')).toBe('PLAINTEXT');
    expect(properties.get('super.users')).toBe('User:a');
  });
});
