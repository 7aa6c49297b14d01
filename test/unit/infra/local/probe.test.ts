import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ask, isWholeResponse, metadataRequest, parseBrokerIds } from '#infra/local/probe.ts';
import { systemClock } from '#runtime/clock.ts';

/** By the protocol's grammar: broker 1 at 127.0.0.1:9092, broker 3 at host:9092 in rack "r". */
function response(): Buffer {
  const text = (value: string) => [0, value.length, ...Buffer.from(value)];
  const body = [
    ...[0, 0, 0, 1], // correlation_id
    ...[0, 0, 0, 0], // throttle_time_ms
    ...[0, 0, 0, 2], // brokers
    ...[0, 0, 0, 1, ...text('127.0.0.1'), 0, 0, 0x23, 0x84, 0xff, 0xff],
    ...[0, 0, 0, 3, ...text('host'), 0, 0, 0x23, 0x84, ...text('r')],
    ...[0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0], // cluster_id, controller_id, topics
  ];
  return Buffer.from([0, 0, 0, body.length, ...body]);
}

async function serve(onConnection: (socket: Socket) => void) {
  const server = createServer(onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe('metadata', () => {
  it('request bytes', () => {
    expect(metadataRequest().toString('hex')).toBe('0000000f0003000400000001ffff0000000000');
  });

  it('reads the ids of the brokers, with and without a rack', () => {
    expect(parseBrokerIds(response())).toEqual([1, 3]);
  });

  it('a response is whole at its last byte and not before', () => {
    const whole = response();
    expect(isWholeResponse(whole)).toBe(true);
    expect(isWholeResponse(whole.subarray(0, -1))).toBe(false);
    expect(isWholeResponse(whole.subarray(0, 3))).toBe(false);
  });
});

describe('ask', () => {
  it('collects an answer that comes in pieces', async () => {
    const { server, port } = await serve((socket) => {
      socket.once('data', () => {
        socket.write(response().subarray(0, 9));
        systemClock.after(20, () => socket.write(response().subarray(9)));
      });
    });
    const answer = await ask(port, metadataRequest(), isWholeResponse, 2000, systemClock);
    expect(answer).toEqual(response());
    server.close();
  });

  it('no answer: nobody listens, the other side hangs up, or says nothing', async () => {
    const mute = await serve(() => undefined);
    const curt = await serve((socket) => socket.destroy());
    const gone = await serve(() => undefined);
    gone.server.close();
    for (const { port } of [mute, curt, gone]) {
      expect(await ask(port, metadataRequest(), isWholeResponse, 100, systemClock)).toBeUndefined();
    }
    mute.server.close();
    curt.server.close();
  });
});
