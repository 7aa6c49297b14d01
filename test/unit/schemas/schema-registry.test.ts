import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf } from '#runtime/errors.ts';
import type { AvroSchemaObject } from '#schemas/fingerprint.ts';
import { decodeFrame, encodeFrame } from '#schemas/frame.ts';
import { type Framing, registryFraming, singleObjectFraming } from '#schemas/framing.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { RECORD_TYPES } from '#schemas/record-type.ts';
import { decodeResult, encodeResult } from '#schemas/result.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { subjectsOf, topicTable } from '#schemas/topics.ts';
import { DETECTION, FRAME, plain } from './samples.ts';

/** A small registry that answers over HTTP as Confluent's documentation says. */
class RegistryFixture {
  readonly requests: string[] = [];
  readonly schemas: string[] = [];
  readonly subjects = new Map<string, Set<number>>();
  authorization: string | undefined;
  /** Set to answer everything with this status. */
  broken: number | undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
        response.end(JSON.stringify(body));
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  add(subject: string, schema: string): number {
    if (!this.schemas.includes(schema)) this.schemas.push(schema);
    const id = this.schemas.indexOf(schema) + 100;
    this.subjects.set(subject, (this.subjects.get(subject) ?? new Set()).add(id));
    return id;
  }

  async #answer(request: IncomingMessage): Promise<[number, object]> {
    const { method, url = '' } = request;
    this.requests.push(`${method} ${url}`);
    this.authorization = request.headers.authorization;
    if (this.broken !== undefined) return [this.broken, { message: 'broken on purpose' }];
    const subject = /^\/subjects\/([^/]+)\/versions$/.exec(url)?.[1];
    if (method === 'POST' && subject !== undefined) {
      const chunks: Buffer[] = await request.toArray();
      const { schema } = JSON.parse(Buffer.concat(chunks).toString()) as { schema: string };
      return [200, { id: this.add(decodeURIComponent(subject), schema) }];
    }
    const id = /^\/schemas\/ids\/(\d+)$/.exec(url)?.[1];
    const schema = id === undefined ? undefined : this.schemas[Number(id) - 100];
    if (schema === undefined) return [404, { error_code: 40403, message: 'Schema not found' }];
    return [200, { schema }];
  }
}

let registry: RegistryFixture;
let url: string;
let framing: Framing;
const subjects = subjectsOf(topicTable());

beforeEach(async () => {
  registry = new RegistryFixture();
  url = await registry.start();
  framing = await registryFraming(connectSchemaRegistry(url), subjects);
  registry.requests.length = 0;
});

afterEach(() => registry.stop());

async function codeThrown(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
  return 'nothing';
}

describe('Confluent wire format', () => {
  it('registers every schema under its topic and writes its id, with no call a record', () => {
    expect([...registry.subjects.keys()].sort()).toEqual(Object.values(subjects).sort());
    const ids = registry.subjects.get('halfsight.camera.frame.v1-value') ?? [];
    const id = [...ids].at(-1);
    const record = Buffer.from(encodeFrame(FRAME, framing));
    expect(record[0]).toBe(0);
    expect(record.readUInt32BE(1)).toBe(id);
    expect(framing.learn(record)).toBeUndefined();
    expect(plain(decodeFrame(record, framing))).toEqual(plain(FRAME));
    expect(registry.requests).toEqual([]);
  });

  it('has the body that single-object encoding has, and both are read', () => {
    const confluent = Buffer.from(encodeFrame(FRAME, framing));
    const single = Buffer.from(encodeFrame(FRAME, singleObjectFraming()));
    expect(confluent.subarray(5).equals(single.subarray(10))).toBe(true);
    expect(plain(decodeFrame(single, framing))).toEqual(plain(FRAME));
  });

  it('learns the schema of a newer writer once, and reads what it wrote', async () => {
    const current = RECORD_TYPES.frame.current.schema as AvroSchemaObject;
    const added = { name: 'exposure_us', type: 'long', default: 0 };
    const [bitstream, ...before] = (current.fields ?? []).toReversed();
    const fields = [...before.toReversed(), added, bitstream];
    const id = registry.add('another', JSON.stringify({ ...current, fields }));
    const record = Buffer.from(encodeFrame(FRAME, framing));
    record.writeUInt32BE(id, 1);
    // The new field comes just before the bitstream's length and its 5 bytes.
    const newer = Buffer.concat([record.subarray(0, -6), Buffer.of(14), record.subarray(-6)]);

    expect(await codeThrown(() => decodeFrame(newer, framing))).toBe('schema-unknown');
    await framing.learn(newer);
    expect(framing.learn(newer)).toBeUndefined();
    expect(plain(decodeFrame(newer, framing))).toEqual(plain(FRAME));
    expect(registry.requests).toEqual([`GET /schemas/ids/${id}`]);
  });

  it('asks once for an id that does not exist, and refuses its records', async () => {
    const record = Buffer.from(encodeFrame(FRAME, framing));
    record.writeUInt32BE(9999, 1);
    await framing.learn(record);
    expect(framing.learn(record)).toBeUndefined();
    expect(await codeThrown(() => decodeFrame(record, framing))).toBe('schema-unknown');
    expect(registry.requests).toHaveLength(1);
  });

  it('refuses a record of another type', async () => {
    const detection = encodeResult(DETECTION, framing);
    expect(await codeThrown(() => decodeFrame(detection, framing))).toBe('schema-incompatible');
    expect(decodeResult('detection', detection, framing)).toEqual(DETECTION);
  });

  it('a header that is cut', async () => {
    const cut = encodeFrame(FRAME, framing).subarray(0, 4);
    expect(framing.learn(cut)).toBeUndefined();
    expect(await codeThrown(() => decodeFrame(cut, framing))).toBe('record-truncated');
  });
});

it('openFraming picks the wire format by whether there is a registry', async () => {
  const table = topicTable({ prefix: 'site' });
  expect(encodeFrame(FRAME, await openFraming(url, table))[0]).toBe(0x00);
  expect(registry.subjects.has('site.camera.frame.v1-value')).toBe(true);
  expect(encodeFrame(FRAME, await openFraming(undefined, table))[0]).toBe(0xc3);
});

describe('a registry in trouble', () => {
  const connect = (address: string) => () =>
    registryFraming(connectSchemaRegistry(address), subjects);

  it('that is away, answers an error, or answers nonsense is unavailable', async () => {
    registry.broken = 500;
    expect(await codeThrown(connect(url))).toBe('schema-registry-unavailable');
    registry.broken = 200;
    expect(await codeThrown(connect(url))).toBe('schema-registry-unavailable');
    await registry.stop();
    expect(await codeThrown(connect(url))).toBe('schema-registry-unavailable');
  });

  it('keeps a record readable later when it was away while it was learned', async () => {
    const record = Buffer.from(encodeFrame(FRAME, framing));
    const id = registry.add('another', JSON.stringify(RECORD_TYPES.frame.current.schema, null, 1));
    record.writeUInt32BE(id, 1);
    registry.broken = 503;
    expect(await codeThrown(() => framing.learn(record))).toBe('schema-registry-unavailable');
    registry.broken = undefined;
    await framing.learn(record);
    expect(plain(decodeFrame(record, framing))).toEqual(plain(FRAME));
  });

  it('that refuses our schema as incompatible says so', async () => {
    registry.broken = 409;
    expect(await codeThrown(connect(url))).toBe('schema-incompatible');
  });

  it('gets the credentials in its URL, which no error shows', async () => {
    const secret = url.replace('http://', 'http://user:pa%3Ass@');
    await connect(secret)();
    expect(registry.authorization).toBe(`Basic ${Buffer.from('user:pa:ss').toString('base64')}`);
    registry.broken = 500;
    await expect(connect(secret)()).rejects.not.toThrow(/pa/);
  });

  it('an address that is none', async () => {
    expect(await codeThrown(connect('localhost:8081'))).toBe('settings-invalid');
  });
});
