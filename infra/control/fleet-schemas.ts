import { Type } from '@sinclair/typebox';
import type { ShownState } from '#infra/fleet/text.ts';
import { Camera } from './camera-schemas.ts';

const CLOSED = { additionalProperties: false } as const;

/** As `npx halfsight cameras list` has it: of the placement, or what the owner tells. */
export const STATES = [
  ...(['disabled', 'waiting', 'unplaced', 'leaving', 'starting'] as const),
  ...(['connecting', 'online', 'offline', 'ended', 'unknown'] as const),
] as const satisfies readonly ShownState[];

export const CameraState = Type.Union(
  STATES.map((state) => Type.Literal(state)),
  { title: 'CameraState' },
);

const Placement = Type.Union(
  [
    Type.Object({ state: Type.Union([Type.Literal('disabled'), Type.Literal('waiting')]) }, CLOSED),
    Type.Object({ state: Type.Literal('unplaced'), reason: Type.String() }, CLOSED),
    Type.Object(
      {
        state: Type.Union([Type.Literal('owned'), Type.Literal('leaving')]),
        agentId: Type.String(),
        session: Type.Integer(),
        token: Type.Integer({ description: 'What its epochs are above; no secret.' }),
      },
      CLOSED,
    ),
  ],
  { title: 'Placement', description: 'Who has it, or why nobody has.' },
);

const Live = Type.Object(
  {
    state: Type.String(),
    lastFrameAgeMs: Type.Union([Type.Number(), Type.Null()]),
    framesPerSecond: Type.Number(),
    bytesPerFrame: Type.Number(),
    dropped: Type.Record(Type.String(), Type.Integer(), {
      description: 'Of its present epoch, by reason.',
    }),
    detail: Type.String(),
    toldAgeMs: Type.Integer({ description: 'How long ago its owner said so.' }),
  },
  { ...CLOSED, title: 'LiveStatus' },
);

const HOW_IT_IS = {
  state: CameraState,
  why: Type.String({ description: 'Why it is not online, or has no owner; for people.' }),
  placement: Placement,
  live: Type.Union([Live, Type.Null()]),
};

export const CameraInFleet = Type.Object(
  { ...Camera.properties, ...HOW_IT_IS },
  { ...CLOSED, title: 'CameraInFleet' },
);

export const CameraStatus = Type.Object(
  { id: Camera.properties.id, version: Camera.properties.version, ...HOW_IT_IS },
  { ...CLOSED, title: 'CameraStatus' },
);

export const Agent = Type.Object(
  {
    id: Type.String(),
    session: Type.Integer({ description: 'Each process of an agent has its own.' }),
    cameras: Type.Integer(),
    camerasMax: Type.Integer(),
    framesPerSecond: Type.Number(),
    framesPerSecondMax: Type.Number(),
    seenAgeMs: Type.Integer({ description: 'Since it was heard of last.' }),
  },
  { ...CLOSED, title: 'Agent' },
);

export const Fleet = Type.Object(
  {
    cameras: Type.Object(
      {
        total: Type.Integer(),
        byState: Type.Record(Type.String(), Type.Integer()),
        framesPerSecondWanted: Type.Number({ description: 'Of all that are enabled.' }),
      },
      CLOSED,
    ),
    agents: Type.Object(
      {
        total: Type.Integer(),
        cameras: Type.Integer(),
        camerasMax: Type.Integer(),
        framesPerSecond: Type.Number(),
        framesPerSecondMax: Type.Number(),
      },
      CLOSED,
    ),
    unplaced: Type.Array(Type.Object({ id: Type.String(), why: Type.String() }, CLOSED), {
      description: 'The first of those that nobody can take; all: /v1/cameras?state=unplaced.',
    }),
  },
  { ...CLOSED, title: 'Fleet' },
);
