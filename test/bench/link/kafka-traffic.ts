import type { Onlooker } from '#test/fixtures/network-proxy.ts';

/** What a camera agent asks a broker: to keep frames, to keep statuses, and all the rest. */
export const TRAFFIC_KINDS = ['frames', 'status', 'other'] as const;
export type TrafficKind = (typeof TRAFFIC_KINDS)[number];

/** Bytes of Kafka's protocol with their lengths; TCP, IP and TLS come on top. */
export interface Flow {
  readonly requests: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export type Traffic = Readonly<Record<TrafficKind, Flow>>;

const NOTHING: Flow = { requests: 0, sentBytes: 0, receivedBytes: 0 };
const NO_TRAFFIC: Traffic = { frames: NOTHING, status: NOTHING, other: NOTHING };

/** Requests and their answers on all connections through a proxy, by client id. */
export class KafkaTraffic {
  readonly #byClient = new Map<string, Traffic>();

  of(clientId: string): Traffic {
    return this.#byClient.get(clientId) ?? NO_TRAFFIC;
  }

  /** Of one connection, for the proxy. */
  lookOn(): Onlooker {
    const [requests, answers] = [new Messages(), new Messages()];
    const asked = new Map<number, { readonly clientId: string; readonly kind: TrafficKind }>();
    return {
      fromClient: (piece) => {
        for (const message of requests.take(piece)) {
          const { correlationId, clientId, kind } = parseRequest(message);
          asked.set(correlationId, { clientId, kind });
          this.#count(clientId, kind, { ...NOTHING, requests: 1, sentBytes: message.length });
        }
      },
      fromServer: (piece) => {
        for (const message of answers.take(piece)) {
          const correlationId = message.readInt32BE(4);
          const request = asked.get(correlationId);
          if (request === undefined) throw new Error('an answer that nobody asked for');
          asked.delete(correlationId);
          const { clientId, kind } = request;
          this.#count(clientId, kind, { ...NOTHING, receivedBytes: message.length });
        }
      },
    };
  }

  #count(clientId: string, kind: TrafficKind, flow: Flow): void {
    const traffic = this.of(clientId);
    this.#byClient.set(clientId, { ...traffic, [kind]: sum(traffic[kind], flow) });
  }
}

/** What came between two looks. */
export function trafficBetween(before: Traffic, after: Traffic): Traffic {
  const difference = (kind: TrafficKind) => sum(after[kind], before[kind], -1);
  return {
    frames: difference('frames'),
    status: difference('status'),
    other: difference('other'),
  };
}

function sum(one: Flow, other: Flow, sign: 1 | -1 = 1): Flow {
  return {
    requests: one.requests + sign * other.requests,
    sentBytes: one.sentBytes + sign * other.sentBytes,
    receivedBytes: one.receivedBytes + sign * other.receivedBytes,
  };
}

/** Cuts a stream: each message is a length of four bytes and so many bytes; both are handed out. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);

  take(piece: Buffer): Buffer[] {
    let rest = Buffer.concat([this.#rest, piece]);
    const whole: Buffer[] = [];
    while (rest.length >= 4) {
      const length = 4 + rest.readInt32BE(0);
      if (rest.length < length) break;
      whole.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    this.#rest = rest;
    return whole;
  }
}

const PRODUCE = 0;
/** The names of topics stand before the records, right behind the head of the request. */
const TOPIC_WITHIN_BYTES = 256;

/**
 * The head of a request: https://kafka.apache.org/protocol#protocol_messages
 *   length int32, api key int16, api version int16, correlation id int32, client id string
 */
function parseRequest(message: Buffer) {
  const apiKey = message.readInt16BE(4);
  const clientIdLength = message.readInt16BE(12);
  const start = message.subarray(0, TOPIC_WITHIN_BYTES);
  const kind: TrafficKind =
    apiKey !== PRODUCE ? 'other' : start.includes('.camera.status.') ? 'status' : 'frames';
  return {
    correlationId: message.readInt32BE(8),
    clientId: message.toString('utf8', 14, 14 + clientIdLength),
    kind,
  };
}
