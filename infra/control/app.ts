import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyTypeProvider,
  RawServerDefault,
} from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token the request bears. */
    caller: string;
  }
}

/** What handlers get and give has the types of their routes' schemas. */
interface TypeBoxProvider extends FastifyTypeProvider {
  readonly validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  readonly serializer: this['schema'] extends TSchema ? Frozen<Static<this['schema']>> : unknown;
}

/** Nobody changes what is answered. */
type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxProvider
>;

export const MERGE_PATCH = 'application/merge-patch+json';
export const PROBLEM_JSON = 'application/problem+json';

const ProblemSchema = Type.Object(
  {
    type: Type.String({ examples: ['urn:halfsight:problem:camera-missing'] }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What was wrong.' }),
    code: Type.String({ description: 'The same for programs; codes never change.' }),
    advice: Type.Optional(Type.String({ description: 'What to do about it.' })),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }), {
        description: 'Every place that is wrong.',
      }),
    ),
    requestId: Type.String({ description: "As in the API's log." }),
  },
  { additionalProperties: false, title: 'Problem' },
);

/** How any route says that it did not do what was asked. */
export const PROBLEMS = {
  default: {
    description: 'What was wrong, and what to do (RFC 9457).',
    content: { [PROBLEM_JSON]: { schema: ProblemSchema } },
  },
} as const;
