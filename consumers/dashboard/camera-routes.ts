import type { FastifyInstance } from 'fastify';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { asBuffer } from '#schemas/record.ts';
import type { CameraAnswer, FrameAnswer, FramesAnswer } from './protocol.ts';
import { Refusal } from './refusal.ts';
import type { Wall } from './wall.ts';

export interface CameraRoutesOptions {
  readonly wall: Wall;
  readonly lookUpFrame: (frameId: string) => Promise<FrameAnswer>;
  readonly clock: Clock;
}

/** One camera, its newest frames and picture, if it sends any, and everything about a frame. */
export function cameraRoutes(app: FastifyInstance, options: CameraRoutesOptions): void {
  const { wall, lookUpFrame, clock } = options;
  app.get<{ Params: { id: string } }>(
    '/api/cameras/:id',
    async (request): Promise<CameraAnswer> => {
      const { id } = request.params;
      const answer = wall.camera(id, clock.nowUs() / 1000);
      if (answer === undefined) throw unknownCamera(id);
      return answer;
    },
  );
  app.get<{ Params: { id: string } }>(
    '/api/cameras/:id/frames',
    async (request): Promise<FramesAnswer> => {
      const { id } = request.params;
      if (wall.state.camera(id) === undefined) throw unknownCamera(id);
      return { frames: wall.recent.ofCamera(id) };
    },
  );
  app.get<{ Params: { id: string } }>('/api/cameras/:id/preview', async (request, reply) => {
    const { id } = request.params;
    const preview = wall.previews.of(id, clock.nowUs() / 1000);
    if (preview === undefined) throw noPreview(id);
    return reply.type('image/jpeg').send(asBuffer(preview.jpeg));
  });
  app.get<{ Params: { frameId: string } }>('/api/frames/:frameId', ({ params }) =>
    lookUpFrame(params.frameId),
  );
}

function noPreview(id: string): Refusal {
  const minutes = LIMITS.previewRetentionMs / 60_000;
  const advice = `Cameras send some where their settings say so; one is kept for ${minutes} min.`;
  return new Refusal('preview-missing', `there is no picture of ${JSON.stringify(id)}.`, advice);
}

function unknownCamera(id: string): Refusal {
  const advice = 'A camera is known once it has said anything; the wall lists those that have.';
  return new Refusal('camera-unknown', `there is no camera ${JSON.stringify(id)} here.`, advice);
}
