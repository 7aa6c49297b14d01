import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { FRAMES_PER_SECOND_DEFAULT } from '#infra/fleet/camera-rules.ts';
import {
  FRAMES_PER_SECOND,
  LABEL,
  PREVIEW_RANGES,
  RATE_RANGES,
} from '#producers/fleet/wanted-camera.ts';
import { LIMITS } from '#runtime/limits.ts';
import { CAMERA_ID, HEAD_NAME } from '#schemas/frame.ts';

/**
 * Cameras as JSON. What a valid camera is, `checkCamera` says; here its rules stand once more for
 * readers of the OpenAPI document, out of the same constants, and a test compares the two.
 */
const CLOSED = { additionalProperties: false } as const;

export const CameraId = Type.String({
  pattern: CAMERA_ID.source,
  must: `1 to ${LIMITS.cameraIdLengthMax} letters, digits, ".", "_" or "-"`,
  examples: ['gate-north'],
});

const Label = Type.String({
  pattern: LABEL.source,
  must: '1 to 64 letters, digits, ".", "_", "/" or "-"',
});

const RatePoint = Type.Union([Label, Type.Integer({ minimum: 0 })], {
  must: 'a name or an index, from 0',
});

const Version = Type.Integer({
  minimum: 1,
  description: 'Grows with each change; the ETag is the same number.',
});

const Adaptive = Type.Boolean({
  description: 'Whether it gives way to a thin link, and to consumers that lag behind.',
});
const BytesPerSecondMax = ranged(RATE_RANGES.bytesPerSecondMax, 'Of its records.');
const FramesPerSecondMin = ranged(RATE_RANGES.framesPerSecondMin, 'The fewest.');
const BytesPerFrameMax = ranged(RATE_RANGES.bytesPerFrameMax, 'Of a bitstream.');

const Rate = Type.Object(
  {
    adaptive: Type.Optional(Adaptive),
    bytesPerSecondMax: Type.Optional(BytesPerSecondMax),
    coarsest: Type.Optional(RatePoint),
    framesPerSecondMin: Type.Optional(FramesPerSecondMin),
    bytesPerFrameMax: Type.Optional(BytesPerFrameMax),
  },
  { ...CLOSED, description: "How far it may give way; what is left out is the agent's." },
);

const RatePatch = Type.Object(
  {
    adaptive: removable(Adaptive),
    bytesPerSecondMax: removable(BytesPerSecondMax),
    coarsest: removable(RatePoint),
    framesPerSecondMin: removable(FramesPerSecondMin),
    bytesPerFrameMax: removable(BytesPerFrameMax),
  },
  CLOSED,
);

const Source = Type.String({
  minLength: 1,
  maxLength: LIMITS.cameraSourceLengthMax,
  description:
    "rtsp://, rtsps://, a file on the agents' machines or synthetic:<scene>. " +
    `\${NAME} stands for a variable of the agents, so that no password is kept here. One that is ` +
    'is answered as ***; sent back unchanged, such a source stays as it is.',
  examples: [`rtsp://viewer:\${GATE_PASSWORD}@192.0.2.10/stream2`],
});

const FramesPerSecond = ranged(FRAMES_PER_SECOND, 'Pictures a second.');
const Enabled = Type.Boolean({ description: 'Whether it shall run.' });

const Labels = Type.Record(Label, Label, {
  ...CLOSED,
  maxProperties: LIMITS.cameraLabelsMax,
  description: 'For people and programs.',
});

const HeadName = Type.String({
  pattern: HEAD_NAME.source,
  must: `1 to ${LIMITS.headNameLengthMax} letters, digits, ".", "_" or "-"`,
});

const Heads = Type.Array(HeadName, {
  minItems: 1,
  maxItems: LIMITS.headsPerCameraMax,
  must: `a list of 1 to ${LIMITS.headsPerCameraMax} names`,
  description: 'Tasks of the heads that are wanted of its frames. Left out: all of the bundle.',
  examples: [['detection', 'segmentation']],
});

const TraceSampleRatio = ranged(
  { min: 0, max: 1 },
  "Share of its frames that are traced. Left out: the agent's.",
);

const Preview = Type.Object(
  {
    everySeconds: ranged(PREVIEW_RANGES.everySeconds, 'One in so many seconds.'),
    width: Type.Integer({
      ...{ minimum: PREVIEW_RANGES.width.min, maximum: PREVIEW_RANGES.width.max },
      description: 'At most so many pixels wide, and as many high.',
    }),
  },
  {
    ...CLOSED,
    description:
      'Lets small pictures (JPEG) leave the camera, for the wall. Left out: no picture leaves it.',
  },
);

/** What every camera says, however it is written. */
const MAY_BE_LEFT_OUT = {
  ratePoint: Type.Optional(RatePoint),
  rate: Type.Optional(Rate),
  heads: Type.Optional(Heads),
  traceSampleRatio: Type.Optional(TraceSampleRatio),
  preview: Type.Optional(Preview),
};

export const Camera = Type.Object(
  {
    id: CameraId,
    ...{ source: Source, framesPerSecond: FramesPerSecond, ...MAY_BE_LEFT_OUT },
    ...{ enabled: Enabled, labels: Labels, version: Version },
  },
  { ...CLOSED, title: 'Camera' },
);

/** As GET answers it, so that it may be sent back; or with less. */
export const CameraPut = Type.Object(
  {
    id: Type.Optional(CameraId),
    source: Source,
    framesPerSecond: Type.Optional(
      Type.Number({ ...FramesPerSecond, default: FRAMES_PER_SECOND_DEFAULT }),
    ),
    ...MAY_BE_LEFT_OUT,
    enabled: Type.Optional(Type.Boolean({ ...Enabled, default: true })),
    labels: Type.Optional(Labels),
    version: Type.Optional(Version),
  },
  {
    ...CLOSED,
    title: 'CameraPut',
    description: 'With "version", the camera must have this version, as with If-Match.',
  },
);

/** A merge patch (RFC 7396): null takes away. */
export const CameraPatch = Type.Object(
  {
    source: Type.Optional(Source),
    framesPerSecond: Type.Optional(FramesPerSecond),
    ratePoint: removable(RatePoint),
    rate: removable(RatePatch),
    heads: removable(Heads),
    traceSampleRatio: removable(TraceSampleRatio),
    preview: removable(Preview),
    enabled: Type.Optional(Enabled),
    labels: Type.Optional(
      Type.Record(Label, Type.Union([Label, Type.Null()]), {
        ...CLOSED,
        description: 'Changes those that are named; null takes one away.',
      }),
    ),
  },
  { ...CLOSED, minProperties: 1, title: 'CameraPatch', must: 'an object that changes something' },
);

export type CameraPutBody = Static<typeof CameraPut>;
export type CameraPatchBody = Static<typeof CameraPatch>;

function ranged({ min, max }: { readonly min: number; readonly max: number }, description: string) {
  return Type.Number({ minimum: min, maximum: max, description });
}

function removable<S extends TSchema>(schema: S) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}
