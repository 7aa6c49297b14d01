import { Type } from '@sinclair/typebox';
import type { ListedHead } from '#infra/heads/text.ts';
import { type App, PROBLEMS } from './app.ts';

const Head = Type.Object(
  {
    task: Type.String(),
    version: Type.String(),
    state: Type.Union([Type.Literal('live'), Type.Literal('shadow'), Type.Literal('idle')]),
    own: Type.Boolean({ description: 'Whether it is part of the bundle.' }),
    bytes: Type.Optional(Type.Integer()),
    digest: Type.Optional(Type.String({ description: 'That results name.' })),
    problem: Type.Optional(Type.String({ description: 'Why it cannot be run.' })),
  },
  { additionalProperties: false, title: 'Head' },
);

/** `readHeads` throws where no folder of heads is named. */
export function headRoutes(app: App, readHeads: () => Promise<readonly ListedHead[]>): void {
  app.get(
    '/v1/heads',
    {
      schema: {
        tags: ['heads'],
        operationId: 'listHeads',
        summary: 'Which heads there are, and which are live or in shadow',
        response: {
          200: Type.Object({ heads: Type.Array(Head) }, { title: 'Heads' }),
          ...PROBLEMS,
        },
      },
    },
    async () => ({ heads: (await readHeads()).map(headView) }),
  );
}

function headView({ isOwn, bytes, digest, problem, ...head }: ListedHead) {
  return {
    ...{ ...head, own: isOwn },
    ...(bytes === undefined ? {} : { bytes }),
    ...(digest === undefined ? {} : { digest }),
    ...(problem === undefined ? {} : { problem }),
  };
}
