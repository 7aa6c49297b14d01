import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { HEALTH_PATHS } from '#runtime/health-server.ts';
import { withOffice } from './control-office.ts';

type Json = Readonly<Record<string, unknown>>;

interface Operation extends Json {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly Json[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Json;
}

interface Response {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>;
}

interface Document extends Json {
  readonly openapi: string;
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> } & Json;
}

async function withDocument(check: (document: Document) => void | Promise<void>): Promise<void> {
  await withOffice(async (office) => {
    const { status, body } = await office.ask('GET', '/openapi.json');
    expect(status).toBe(200);
    await check(body as unknown as Document);
  });
}

function operationsOf({ paths }: Document) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

/** Every object in the document, with where it is. */
function* nodesOf(node: unknown, at = '#'): Generator<readonly [at: string, node: Json]> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield [at, node as Json];
  for (const [key, value] of Object.entries(node)) {
    yield* nodesOf(value, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  }
}

function found(document: Json, reference: string): unknown {
  return reference
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((node, step) => (node as Json | undefined)?.[step], document);
}

/** The schema without references: our own never go in circles. */
function whole(document: Json, schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map((one) => whole(document, one));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $ref } = schema as Json;
  if (typeof $ref === 'string') return whole(document, found(document, $ref));
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, whole(document, value)]),
  );
}

describe('GET /openapi.json', () => {
  it('describes every route, and no other', () =>
    withOffice(async (office) => {
      const { body } = await office.ask('GET', '/openapi.json');
      const described = operationsOf(body as unknown as Document)
        .map(({ path, method }) => `${method.toUpperCase()} ${path}`)
        .toSorted();
      expect(described).toEqual(
        [
          ...['GET /live', 'GET /healthz', 'GET /v2/health/live', 'GET /ready', 'GET /startup'],
          ...['GET /v2/health/ready', 'GET /openapi.json', 'GET /v1/fleet', 'GET /v1/agents'],
          ...['GET /v1/cameras', 'GET /v1/cameras/{id}', 'PUT /v1/cameras/{id}'],
          ...['PATCH /v1/cameras/{id}', 'DELETE /v1/cameras/{id}'],
          ...['GET /v1/cameras/{id}/status', 'POST /v1/cameras/{id}/drain'],
          ...['GET /v1/jobs', 'POST /v1/jobs', 'GET /v1/jobs/{id}', 'DELETE /v1/jobs/{id}'],
          ...['pause', 'resume', 'cancel', 'retry'].map((verb) => `POST /v1/jobs/{id}/${verb}`),
          ...['GET /v1/dead-letters', 'POST /v1/dead-letters/redrive', 'GET /v1/heads'],
        ].toSorted(),
      );
      for (const line of described) {
        const [method = 'GET', path = ''] = line.split(' ');
        const url = path.replace(/\{(\w+)\}/g, ':$1');
        expect((await office.app()).hasRoute({ method: method as 'GET', url }), line).toBe(true);
      }
    }));

  it('is an OpenAPI 3.1 document', () =>
    withDocument((document) => {
      expect(document.openapi).toMatch(/^3\.1\.\d$/);
      expect(document.info).toMatchObject({ title: expect.any(String), version: '1.0.0' });
      const ids = operationsOf(document).map(({ operation }) => operation.operationId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { path, method, operation } of operationsOf(document)) {
        const where = `${method} ${path}`;
        const { parameters = [], responses, requestBody, summary, tags } = operation;
        expect([typeof summary, tags.length], where).toEqual(['string', 1]);
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const declared = parameters.filter((parameter) => parameter.in === 'path');
        expect(declared.map(({ name, required }) => (required ? name : ''))).toEqual(inPath);
        for (const parameter of parameters) expect(parameter.schema, where).toBeInstanceOf(Object);
        for (const [status, { description }] of Object.entries(responses)) {
          expect(status).toMatch(/^([1-5]\d\d|default)$/);
          expect(description, where).toMatch(/\S/);
        }
        expect(Object.keys(responses.default?.content ?? {})).toEqual(['application/problem+json']);
        const media = method === 'patch' ? 'application/merge-patch+json' : 'application/json';
        const bodies = Object.keys(requestBody?.content ?? {});
        expect(bodies).toEqual(requestBody === undefined ? [] : [media]);
        const isOpen = Object.hasOwn(HEALTH_PATHS, path);
        expect(operation.security, where).toEqual(isOpen ? [] : undefined);
      }
      expect(document.security).toEqual([{ token: [] }]);
      expect(document.components.securitySchemes).toHaveProperty('token.scheme', 'bearer');
    }));

  it('refers to nothing that is not there, and names nothing that is not used', () =>
    withDocument((document) => {
      const used = new Set<string>();
      for (const [at, node] of nodesOf(document)) {
        expect(node, at).not.toHaveProperty('must');
        if (typeof node.$ref !== 'string') continue;
        expect(found(document, node.$ref), `${at}: ${node.$ref}`).toBeInstanceOf(Object);
        used.add(node.$ref.replace('#/components/schemas/', ''));
      }
      expect([...used].toSorted()).toEqual(Object.keys(document.components.schemas));
      expect([...used]).toEqual(expect.arrayContaining(['Camera', 'Problem', 'RedriveOrder']));
    }));

  /** With another validator than ours, and one that takes no keyword that it does not know. */
  it('holds JSON schemas, which say of cameras what we say', () =>
    withDocument(async (document) => {
      const app = fastify({ ajv: { customOptions: { strict: true, strictTypes: false } } });
      const schemas = operationsOf(document).flatMap(({ operation }) => [
        ...Object.values(operation.requestBody?.content ?? {}),
        ...Object.values(operation.responses).flatMap(({ content = {} }) => Object.values(content)),
      ]);
      for (const [at, { schema }] of schemas.entries()) {
        const body = whole(document, schema);
        app.post(`/${at}`, { schema: { body } }, async () => 'valid');
      }
      await app.ready();
      const put = whole(document, { $ref: '#/components/schemas/CameraPut' });
      const check = fastify({ ajv: { customOptions: { removeAdditional: false } } });
      check.post('/', { schema: { body: put } }, async () => 'valid');
      const statusOf = async (payload: object) =>
        (await check.inject({ method: 'POST', url: '/', payload })).statusCode;
      expect(await statusOf({ source: 'a.mp4', labels: { a: 'b' }, ratePoint: 'fine' })).toBe(200);
      expect(await statusOf({ source: 'a.mp4', labels: { a: 'b c' } })).toBe(400);
      expect(await statusOf({ source: 'a.mp4', framesPerSecond: 61 })).toBe(400);
      expect(await statusOf({ framesPerSecond: 5 })).toBe(400);
      expect(await statusOf({ source: 'a.mp4', fps: 5 })).toBe(400);
      await Promise.all([app.close(), check.close()]);
    }));
});
