import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import type { WebSocket } from 'ws';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { LiveChannel } from './live-channel.ts';
import { Refusal } from './refusal.ts';
import type { Telemetry } from './telemetry.ts';

export interface LiveRouteOptions {
  readonly channel: LiveChannel;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** RFC 6455, 7.4.1. */
const GOING_AWAY = 1001;
/** What a closing handshake may take. */
const GOODBYE_MS = 500;

/** The WebSocket `/api/live`: see protocol.ts. */
export async function liveRoute(app: FastifyInstance, options: LiveRouteOptions): Promise<void> {
  const { channel, clock, telemetry } = options;
  const sockets = new Map<WebSocket, { hasAnswered: boolean }>();
  await app.register(websocket, {
    // Beyond it the connection is closed with 1009; up to it, the page is told what was wrong.
    options: { maxPayload: 4 * LIMITS.wallMessageBytesMax },
    // Of the connection, which is over then: nobody else is concerned.
    errorHandler: (_, socket) => socket.terminate(),
    preClose: (done) => {
      for (const socket of sockets.keys()) socket.close(GOING_AWAY, 'the server stops');
      clock.after(GOODBYE_MS, () => {
        for (const socket of sockets.keys()) socket.terminate();
      });
      done();
    },
  });
  const cancel = clock.every(LIMITS.wallPingMs, () => {
    for (const [socket, state] of sockets) {
      if (state.hasAnswered) socket.ping();
      else socket.terminate();
      if (!state.hasAnswered) telemetry.count('pages-lost');
      state.hasAnswered = false;
    }
  });
  app.addHook('onClose', async () => cancel());
  app.get(
    '/api/live',
    {
      websocket: true,
      preHandler: async () => {
        if (sockets.size < LIMITS.wallClientsMax) return;
        const message = `${sockets.size} pages are open already.`;
        throw new Refusal('pages-too-many', message, 'Close one of them.');
      },
    },
    (socket) => {
      const state = { hasAnswered: true };
      sockets.set(socket, state);
      const page = channel.open(socket);
      socket.on('pong', () => {
        state.hasAnswered = true;
      });
      socket.on('message', (data) => channel.receive(page, String(data)));
      socket.on('close', () => {
        sockets.delete(socket);
        channel.close(page);
      });
    },
  );
}
