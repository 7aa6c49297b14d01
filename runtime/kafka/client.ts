import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { BrokerSettings } from '../broker.ts';
import type { Clock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import type { Logger } from '../log.ts';
import { readTlsFile } from '../tls-file.ts';
import { type KafkaJs, kafkajs } from './kafkajs.ts';

export interface ClientDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A kafkajs producer, consumer or admin that can be cut off. */
export interface Cuttable {
  /**
   * Destroys its connections and lets it open no more. kafkajs' retries outlive `disconnect`: they
   * would connect again and fence a partition's next owner, or join a group that was left.
   */
  cut(): void;
}

export type CreateClient = <T extends object>(create: (kafka: KafkaJs.Kafka) => T) => T & Cuttable;

/**
 * Makes kafkajs clients. Every producer, consumer and admin gets a client of its own: kafkajs keeps
 * "committed" offsets per client, and a transaction notes its offsets there before it is committed,
 * so a consumer that shared the client would start from offsets of an aborted transaction.
 */
export function clientFactory(
  settings: BrokerSettings,
  { clock, logger }: ClientDependencies,
): CreateClient {
  if (settings.sasl !== undefined && settings.tls === undefined) {
    const { mechanism } = settings.sasl;
    const advice = 'Set KAFKA_TLS=true: without it others can read what is sent, or pose as Kafka.';
    logger.warn('kafka-login-without-tls', { mechanism, advice });
  }
  const logCreator = createLogCreator(clock, logger);
  const config: KafkaJs.KafkaConfig = {
    clientId: settings.clientId,
    brokers: [...settings.brokers],
    connectionTimeout: LIMITS.connectionTimeoutMs,
    requestTimeout: LIMITS.requestTimeoutMs,
    // All of it spelled out: kafkajs has other defaults where NODE_ENV is "test".
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, retries: 8 },
    logLevel: kafkajs.logLevel.WARN,
    logCreator,
    ...(settings.tls === undefined ? {} : { ssl: readTls(settings.tls) }),
    ...(settings.sasl === undefined ? {} : { sasl: settings.sasl as KafkaJs.SASLOptions }),
  };
  return (create) => {
    const sockets = new SocketPool();
    const socketFactory: KafkaJs.ISocketFactory = (options) => sockets.open(options);
    const client = create(new kafkajs.Kafka({ ...config, socketFactory }));
    return Object.assign(client, { cut: () => sockets.cut() });
  };
}

const KEEP_ALIVE_DELAY_MS = 60_000;
const CUT = 'the client was closed';

/** The sockets of one client, all destroyed by `cut`. */
class SocketPool {
  readonly #open = new Set<Socket>();
  #isCut = false;

  open({ host, port, ssl, onConnect }: KafkaJs.ISocketFactoryArgs): Socket {
    if (this.#isCut) throw new Error(CUT);
    const name = isIP(host) ? {} : { servername: host };
    const socket = ssl
      ? connectTls({ host, port, ...name, ...(ssl as object) }, onConnect)
      : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    // A request is written whole; on a long line Nagle would hold its last piece for a round trip.
    socket.setNoDelay(true);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  }

  cut(): void {
    this.#isCut = true;
    // With an error, as kafkajs does not listen to 'close' and would wait for answers.
    for (const socket of this.#open) socket.destroy(new Error(CUT));
  }
}

function readTls(tls: NonNullable<BrokerSettings['tls']>) {
  const advice = 'Check KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE.';
  const read = (file: string) => readTlsFile(file, advice);
  return {
    ...(tls.caFile === undefined ? {} : { ca: [read(tls.caFile)] }),
    ...(tls.certFile === undefined ? {} : { cert: read(tls.certFile) }),
    ...(tls.keyFile === undefined ? {} : { key: read(tls.keyFile) }),
  };
}

const REPEAT_WINDOW_MS = 1_000;

/**
 * kafkajs' log, on ours. What it calls an error is mostly a step of a retry, so nothing of it is
 * more than a warning here, and a message that repeats is told once a second with its count.
 */
function createLogCreator(clock: Clock, logger: Logger): KafkaJs.logCreator {
  const repeats = new Map<string, { untilMs: number; count: number }>();
  return () => (entry) => {
    const { message } = entry.log;
    if (message.includes(CUT)) return;
    const nowMs = clock.monotonicMs();
    const repeat = repeats.get(message);
    if (repeat !== undefined && nowMs < repeat.untilMs) {
      repeat.count++;
      return;
    }
    if (repeats.size > 200) repeats.clear();
    repeats.set(message, { untilMs: nowMs + REPEAT_WINDOW_MS, count: 0 });
    const fields = {
      from: entry.namespace,
      message,
      error: entry.log.error === undefined ? undefined : String(entry.log.error),
      repeated: repeat === undefined || repeat.count === 0 ? undefined : repeat.count,
    };
    if (entry.level <= kafkajs.logLevel.ERROR) logger.warn('kafka-client', fields);
    else logger.debug('kafka-client', fields);
  };
}
