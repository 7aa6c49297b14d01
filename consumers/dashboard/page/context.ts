import { signal } from '@preact/signals';
import { systemClock } from '#runtime/clock.ts';
import { checkSession } from './api.ts';
import { LiveChannel, type Socket } from './live.ts';
import { Painter } from './picture/painter.ts';
import { WallStore } from './store.ts';

/** What there is once in a page. */
export const clock = systemClock;
export const store = new WallStore();
export const painter = new Painter((draw) => requestAnimationFrame(draw));
export const live = new LiveChannel({
  store,
  clock,
  open: openSocket,
  onRefused: () => void checkSession(),
});

/** Ids of the tiles in view, or of what else a page shows live. */
export const watched = signal<readonly string[]>([]);

function openSocket(): Socket {
  const url = new URL('/api/live', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  const made: Socket = {
    onopen: null,
    onmessage: null,
    onclose: null,
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
  socket.onopen = () => made.onopen?.();
  socket.onmessage = ({ data }) => made.onmessage?.({ data });
  socket.onclose = () => made.onclose?.();
  return made;
}
