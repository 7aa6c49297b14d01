import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerSchemas } from '#infra/topics/register.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { AvroSchemaObject } from '#schemas/fingerprint.ts';
import { decodeFrame, encodeFrame } from '#schemas/frame.ts';
import { type Framing, singleObjectFraming } from '#schemas/framing.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { RECORD_TYPES } from '#schemas/record-type.ts';
import { registryFraming } from '#schemas/registry-framing.ts';
import { decodeResult, encodeResult } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { subjectsOf, topicTable } from '#schemas/topics.ts';
import { SchemaRegistryFixture } from '#test/fixtures/schema-registry.ts';
import { DETECTION, FRAME, plain } from './samples.ts';

let registry: SchemaRegistryFixture;
let url: string;
let framing: Framing;
let nowMs = 0;
const clock = { monotonicMs: () => nowMs };
const table = topicTable();
const subjects = subjectsOf(table);

beforeEach(async () => {
  registry = new SchemaRegistryFixture();
  url = await registry.start();
  await registerSchemas(connectSchemaRegistry({ url }), table);
  framing = await registryFraming(connectSchemaRegistry({ url }), subjects, clock);
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
  it('writes the id under which the topics command registered it, with no call a record', () => {
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
    const fields = (current.fields ?? []).toSpliced(-1, 0, added);
    const client = connectSchemaRegistry({ url });
    const id = await client.register('another', { ...current, fields });
    registry.requests.length = 0;
    const record = Buffer.from(encodeFrame(FRAME, framing));
    record.writeUInt32BE(id, 1);
    // The new field comes just before the bitstream's length and its 5 bytes.
    const newer = Buffer.concat([record.subarray(0, -6), Buffer.of(14), record.subarray(-6)]);

    expect(await codeThrown(() => decodeFrame(newer, framing))).toBe('schema-unknown');
    await Promise.all([framing.learn(newer), framing.learn(newer)]);
    expect(framing.learn(newer)).toBeUndefined();
    expect(plain(decodeFrame(newer, framing))).toEqual(plain(FRAME));
    expect(registry.requests).toEqual([`GET /schemas/ids/${id}`]);
  });

  it('refuses records of an id that does not exist, and asks again after a while', async () => {
    const record = Buffer.from(encodeFrame(FRAME, framing));
    record.writeUInt32BE(9999, 1);
    await framing.learn(record);
    expect(framing.learn(record)).toBeUndefined();
    expect(await codeThrown(() => decodeFrame(record, framing))).toBe('schema-unknown');
    expect(registry.requests).toHaveLength(1);
    nowMs += LIMITS.schemaUnknownMs;
    await framing.learn(record);
    expect(registry.requests).toHaveLength(2);
  });

  it('keeps no more of the ids that records name than it may', async () => {
    const record = Buffer.from(encodeFrame(FRAME, framing));
    for (let id = 1; id <= LIMITS.schemasLearnedMax + 1; id++) {
      record.writeUInt32BE(id, 1);
      await framing.learn(record);
    }
    expect(framing.learn(record)).toBeUndefined();
    record.writeUInt32BE(1, 1);
    await framing.learn(record);
    expect(registry.requests).toHaveLength(LIMITS.schemasLearnedMax + 2);
    expect(framing.learn(encodeFrame(FRAME, framing))).toBeUndefined();
  });

  it('refuses a record of another type', async () => {
    const detection = encodeResult(DETECTION, framing);
    expect(await codeThrown(() => decodeFrame(detection, framing))).toBe('schema-incompatible');
    expect(decodeResult('detection', detection, framing)).toEqual(DETECTION);
  });

  it('a header that is cut', async () => {
    for (const cut of [encodeFrame(FRAME, framing).subarray(0, 4), Buffer.alloc(16, 1)]) {
      expect(framing.learn(cut)).toBeUndefined();
      expect(await codeThrown(() => decodeFrame(cut, framing))).toBe('record-truncated');
    }
  });

  it.each(['id', 'guid'])(
    'reads a bare body whose schema is named by %s in a header',
    async (kind) => {
      const record = Buffer.from(encodeFrame(FRAME, framing));
      const guid = registry.guidOf(record.readUInt32BE(1)).replaceAll('-', '');
      const name = kind === 'id' ? record.subarray(0, 5) : Buffer.from(`01${guid}`, 'hex');
      const value = new Uint8Array(record.subarray(5));
      const framed = framedValue({ value, headers: { __value_schema_id: name } });
      await framing.learn(framed ?? value);
      expect(framing.learn(framed ?? value)).toBeUndefined();
      expect(plain(decodeFrame(framed, framing))).toEqual(plain(FRAME));
      const single = { value: encodeFrame(FRAME, singleObjectFraming()), headers: {} };
      expect(framedValue(single)).toBe(single.value);
      expect(framedValue({ value: null, headers: { __value_schema_id: name } })).toBeNull();
    },
  );
});

it('openFraming picks the wire format by whether there is a registry', async () => {
  expect(encodeFrame(FRAME, await openFraming({ url }, table))[0]).toBe(0x00);
  expect(encodeFrame(FRAME, await openFraming(undefined, table))[0]).toBe(0xc3);
});

describe('a registry in trouble', () => {
  const connect = (address: string) => () => openFraming({ url: address }, table);

  it('that is away, answers an error, or answers nonsense is unavailable', async () => {
    for (const broken of [
      [500, '{"error_code": 50001, "message": "Error in the backend data store"}'],
      [200, '{"message": "no id"}'],
      [200, '<html>'],
      // Of a proxy in front of it: the registry's own 404 have a code.
      [404, 'default backend - 404'],
      [404, '{"error_code": 404, "message": "HTTP 404 Not Found"}'],
    ] as const) {
      registry.broken = broken;
      expect(await codeThrown(connect(url)), broken[1]).toBe('schema-registry-unavailable');
    }
    await registry.stop();
    expect(await codeThrown(connect(url))).toBe('schema-registry-unavailable');
  });

  it('without our schemas says which command registers them', async () => {
    const other = () => openFraming({ url }, topicTable({ prefix: 'site' }));
    expect(await codeThrown(other)).toBe('schema-unregistered');
    await expect(other()).rejects.toThrow(/site\.[a-z.-]+\.v1-value/);
  });

  it('stops nobody who has its ids: also after its restart they are the same', async () => {
    const before = encodeFrame(FRAME, framing);
    await registry.stop();
    expect(encodeFrame(FRAME, framing)).toEqual(before);
    expect(framing.learn(before)).toBeUndefined();
    expect(plain(decodeFrame(before, framing))).toEqual(plain(FRAME));
    await registry.start();
    expect(encodeFrame(FRAME, await openFraming({ url }, table))).toEqual(before);
  });

  it('keeps a record readable later when it was away while it was learned', async () => {
    const record = Buffer.from(encodeFrame(FRAME, framing));
    const current = RECORD_TYPES.frame.current.schema as AvroSchemaObject;
    const again = { ...current, doc: 'The same in other words.' };
    record.writeUInt32BE(await connectSchemaRegistry({ url }).register('another', again), 1);
    registry.broken = [503, 'starting'];
    expect(await codeThrown(() => framing.learn(record))).toBe('schema-registry-unavailable');
    registry.broken = undefined;
    await framing.learn(record);
    expect(plain(decodeFrame(record, framing))).toEqual(plain(FRAME));
  });

  it('that refuses our schema as incompatible says so, and nothing else is changed', async () => {
    const client = connectSchemaRegistry({ url });
    const { fields = [], ...rest } = RECORD_TYPES.frame.current.schema as AvroSchemaObject;
    const foreign = { ...rest, fields: [...fields, { name: 'gain', type: 'int' }] };
    await client.register('site.camera.frame.v1-value', foreign);
    const register = () => registerSchemas(client, topicTable({ prefix: 'site' }));
    expect(await codeThrown(register)).toBe('schema-incompatible');
    expect([...registry.subjects.keys()].filter((name) => name.startsWith('site'))).toHaveLength(1);
  });

  it('gets the credentials in its URL, which no error shows', async () => {
    const secret = url.replace('http://', 'http://user:pa%3Ass@');
    registry.authorization = `Basic ${Buffer.from('user:pa:ss').toString('base64')}`;
    await connect(secret)();
    expect(await codeThrown(connect(url))).toBe('schema-registry-unavailable');
    await expect(connect(url.replace('http://', 'http://user:passe@'))()).rejects.toThrow(/401/);
    registry.broken = [500, ''];
    await expect(connect(secret)()).rejects.not.toThrow(/pa/);
  });

  it('gets a bearer token', async () => {
    registry.authorization = 'Bearer t0ken';
    await openFraming({ url, token: 't0ken' }, table);
    expect(await codeThrown(connect(url))).toBe('schema-registry-unavailable');
  });

  it('whose answer has no end is not listened to for ever', async () => {
    registry.broken = [200, ' '.repeat(LIMITS.schemaRegistryAnswerBytesMax + 1)];
    await expect(connect(url)()).rejects.toThrow(/no end/);
  });

  it('an address that is none', async () => {
    expect(await codeThrown(connect('localhost:8081'))).toBe('settings-invalid');
  });
});

it('over TLS only the CA that is named is trusted', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'halfsight-registry-'));
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', keyFile, '-out', certFile];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'].concat([
      '-nodes',
      '-days',
      '1',
      ...subject,
      ...files,
    ]),
    { stdio: 'ignore' },
  );
  const [key, tlsCa] = [keyFile, certFile].map((file) => readFileSync(file, 'utf8'));
  rmSync(directory, { recursive: true });
  const secure = new SchemaRegistryFixture({ key: key ?? '', cert: tlsCa ?? '' });
  try {
    const settings = { url: await secure.start() };
    await registerSchemas(connectSchemaRegistry({ ...settings, tlsCa }), table);
    expect(encodeFrame(FRAME, await openFraming({ ...settings, tlsCa }, table))[0]).toBe(0x00);
    await expect(openFraming(settings, table)).rejects.toThrow(/self-signed certificate/);
  } finally {
    await secure.stop();
  }
});
