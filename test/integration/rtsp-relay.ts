import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { defined } from '#runtime/assert.ts';
import { until } from '#test/fixtures/until.ts';

/**
 * A small RTSP server for tests, RTP over TCP only (RFC 2326, interleaved frames of section 10.12):
 *
 *   publisher   ANNOUNCE (with SDP), SETUP per track, RECORD, then "$" channel length data ...
 *   reader      DESCRIBE (answered with that SDP, or 404), SETUP per track, PLAY, then the same
 *
 * What a publisher sends on a track's channel goes to the channel that each reader of the same path
 * chose for the track. It can be stopped and started again on its port, and made to stall.
 */
export interface RtspRelay {
  readonly port: number;
  url(path: string): string;
  /** Whether somebody publishes a path at the moment. */
  isPublished(path: string): boolean;
  /** Readers that PLAY a path at the moment. */
  readerCount(path: string): number;
  /** Keeps every connection but forwards nothing. */
  stall(): void;
  resume(): void;
  stop(): Promise<void>;
}

interface Peer {
  readonly socket: Socket;
  /** By track (the last part of the SETUP URL): the first of its two channels. */
  readonly channels: Map<string, number>;
  path: string;
  role: 'none' | 'publisher' | 'reader';
}

interface Channel {
  readonly sdp: string;
  readonly publisher: Peer;
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Map<string, string>;
  readonly body: string;
}

interface Response {
  readonly status: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

export interface RelayOptions {
  /** 0 lets the system choose. */
  readonly port?: number;
  /** Where given, every request must carry them (Basic). */
  readonly credentials?: { readonly user: string; readonly password: string };
}

export async function startRtspRelay(options: RelayOptions = {}): Promise<RtspRelay> {
  const relay = new Relay(options);
  await relay.listen(options.port ?? 0);
  return relay;
}

class Relay implements RtspRelay {
  readonly #server: Server;
  readonly #peers = new Set<Peer>();
  readonly #paths = new Map<string, Channel>();
  readonly #authorization: string | undefined;
  readonly #userInformation: string;
  #isStalled = false;

  constructor({ credentials }: RelayOptions) {
    const text = credentials && `${credentials.user}:${credentials.password}`;
    this.#authorization = text && `Basic ${Buffer.from(text).toString('base64')}`;
    this.#userInformation = text === undefined ? '' : `${text}@`;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  url(path: string): string {
    return `rtsp://${this.#userInformation}127.0.0.1:${this.port}/${path}`;
  }

  isPublished(path: string): boolean {
    return this.#paths.get(path)?.publisher.role === 'publisher';
  }

  readerCount(path: string): number {
    return [...this.#peers].filter((peer) => peer.role === 'reader' && peer.path === path).length;
  }

  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const peer of this.#peers) peer.socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const peer: Peer = { socket, channels: new Map(), path: '', role: 'none' };
    this.#peers.add(peer);
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      pending = pending.subarray(this.#consume(peer, pending));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#leave(peer));
  }

  #leave(peer: Peer): void {
    this.#peers.delete(peer);
    if (this.#paths.get(peer.path)?.publisher !== peer) return;
    this.#paths.delete(peer.path);
    for (const other of this.#peers) {
      if (other.role === 'reader' && other.path === peer.path) other.socket.destroy();
    }
  }

  /** Handles what is complete in `bytes` and returns how much that was. */
  #consume(peer: Peer, bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      if (bytes[at] === 0x24) {
        if (bytes.length < at + 4) return at;
        const end = at + 4 + bytes.readUInt16BE(at + 2);
        if (bytes.length < end) return at;
        this.#forward(peer, bytes.subarray(at, end));
        at = end;
        continue;
      }
      const headerEnd = bytes.indexOf('\r\n\r\n', at);
      if (headerEnd < 0) return at;
      const request = parseRequest(bytes.toString('utf8', at, headerEnd));
      const length = Number(request.headers.get('content-length') ?? 0);
      const end = headerEnd + 4 + length;
      if (bytes.length < end) return at;
      this.#answer(peer, { ...request, body: bytes.toString('utf8', headerEnd + 4, end) });
      at = end;
    }
    return at;
  }

  #forward(from: Peer, packet: Buffer): void {
    if (from.role !== 'publisher' || this.#isStalled) return;
    const channel = defined(packet[1], 'channel');
    for (const [track, base] of from.channels) {
      if (channel !== base && channel !== base + 1) continue;
      for (const reader of this.#peers) {
        if (reader.role !== 'reader' || reader.path !== from.path) continue;
        const own = reader.channels.get(track);
        if (own === undefined) continue;
        const copy = Buffer.from(packet);
        copy[1] = own + channel - base;
        reader.socket.write(copy);
      }
    }
  }

  #answer(peer: Peer, request: Request): void {
    const allowed = this.#authorization;
    const isAllowed = allowed === undefined || request.headers.get('authorization') === allowed;
    const {
      status,
      headers = [],
      body = '',
    } = isAllowed
      ? this.#respond(peer, request)
      : { status: '401 Unauthorized', headers: ['WWW-Authenticate: Basic realm="relay"'] };
    const lines = [
      `RTSP/1.0 ${status}`,
      `CSeq: ${request.headers.get('cseq') ?? '0'}`,
      'Session: halfsight',
      ...headers,
      ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ];
    peer.socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
    if (request.method === 'TEARDOWN') peer.socket.end();
  }

  #respond(peer: Peer, request: Request): Response {
    const path = pathOf(request.url);
    switch (request.method) {
      case 'OPTIONS': {
        const methods = 'Public: ANNOUNCE, DESCRIBE, SETUP, RECORD, PLAY, TEARDOWN';
        return { status: '200 OK', headers: [methods] };
      }
      case 'ANNOUNCE':
        peer.path = path;
        this.#paths.set(path, { sdp: request.body, publisher: peer });
        return { status: '200 OK' };
      case 'DESCRIBE': {
        const sdp = this.#paths.get(path)?.sdp;
        if (sdp === undefined) return { status: '404 Not Found' };
        const base = `Content-Base: ${request.url.replace(/\/?$/, '/')}`;
        return { status: '200 OK', headers: ['Content-Type: application/sdp', base], body: sdp };
      }
      case 'SETUP': {
        const transport = request.headers.get('transport') ?? '';
        const base = /interleaved=(\d+)/.exec(transport)?.[1];
        if (base === undefined) return { status: '461 Unsupported Transport' };
        peer.channels.set(request.url.split('/').at(-1) ?? '', Number(base));
        return { status: '200 OK', headers: [`Transport: ${transport}`] };
      }
      case 'RECORD':
        peer.role = 'publisher';
        return { status: '200 OK' };
      case 'PLAY':
        peer.path = path;
        peer.role = 'reader';
        return { status: '200 OK' };
      default:
        return { status: '200 OK' };
    }
  }
}

function parseRequest(head: string): Omit<Request, 'body'> {
  const [first = '', ...lines] = head.split('\r\n');
  const [method = '', url = ''] = first.split(' ');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  return { method, url, headers };
}

function pathOf(url: string): string {
  return new URL(url.replace(/^rtsp:/, 'http:')).pathname.replace(/^\/|\/$/g, '');
}

/** Runs ffmpeg to its end; throws what it said if it fails. */
export async function runFfmpeg(args: readonly string[]): Promise<void> {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`ffmpeg ${args.join(' ')}: ${said}`);
}

/** A clip of ffmpeg's test picture, with a key frame twice a second. */
export async function makeTestClip(
  path: string,
  { size = '640x352', rate = 24, seconds = 3 } = {},
): Promise<void> {
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`],
    ...['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0'],
    ...['-g', String(Math.round(rate / 2)), path],
  ]);
}

/** Publishes a clip, in real time and for ever; resolves once it flows, with what stops it. */
export async function publishClip(
  clip: string,
  relay: RtspRelay,
  path: string,
): Promise<() => Promise<void>> {
  const child: ChildProcess = spawn(
    'ffmpeg',
    [
      ...['-hide_banner', '-loglevel', 'error', '-re', '-stream_loop', '-1', '-i', clip],
      ...['-an', '-c', 'copy', '-f', 'rtsp', '-rtsp_transport', 'tcp', relay.url(path)],
    ],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  await until(() => relay.isPublished(path), 30_000, `${path} is published`);
  return async () => {
    child.kill('SIGKILL');
    await exited;
  };
}
