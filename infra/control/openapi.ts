import swagger from '@fastify/swagger';
import { Type } from '@sinclair/typebox';
import { HalfsightError } from '#runtime/errors.ts';
import { type App, PROBLEMS } from './app.ts';

type Json = Readonly<Record<string, unknown>>;

/** The first number is that of the paths. */
const API_VERSION = '1.0.0';
const DESCRIPTION =
  'The cameras, jobs, heads and dead letters of one Halfsight installation. What is wrong is ' +
  'said as application/problem+json. Answers of 429 and 503 have Retry-After.';

/** To be called before there are routes: it watches them as they are added. */
export async function describeRoutes(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: { title: 'Halfsight control', version: API_VERSION, description: DESCRIPTION },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transformObject: (document) => {
      if ('openapiObject' in document) return withNames(document.openapiObject as Json);
      throw new HalfsightError('settings-invalid', 'Swagger 2 is not written here.');
    },
  });
}

export function openapiRoute(app: App): void {
  app.get(
    '/openapi.json',
    {
      schema: {
        tags: ['this document'],
        operationId: 'getOpenapi',
        summary: 'This document',
        response: { 200: Type.Object({}, { additionalProperties: true }), ...PROBLEMS },
      },
    },
    async () => app.swagger(),
  );
}

/**
 * Schemas with a title become components of that name, so that generated clients have types of that
 * name. Unions of constants become enumerations, which more programs understand.
 */
function withNames(document: Json): Json {
  const schemas = new Map<string, unknown>();
  const visit = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(visit);
    if (typeof node !== 'object' || node === null) return node;
    const { must: _, title, ...others } = node as Json;
    const entries = Object.entries(others).map(([key, value]) => [key, visit(value)] as const);
    const visited = asEnumeration(Object.fromEntries(entries));
    const isSchema = ['type', 'anyOf', 'enum'].some((key) => key in visited);
    if (typeof title !== 'string') return title === undefined ? visited : { ...visited, title };
    if (!isSchema) return { title, ...visited };
    schemas.set(title, visited);
    return { $ref: `#/components/schemas/${title}` };
  };
  const visited = visit(document) as Json;
  const components = visited.components as Json;
  const named = Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...visited, components: { ...components, schemas: named } };
}

function asEnumeration(schema: Json): Json {
  const { anyOf, ...others } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const constants = anyOf.map((member: Json) => member.const);
  if (constants.some((constant) => constant === undefined)) return schema;
  return { ...others, type: 'string', enum: constants };
}
