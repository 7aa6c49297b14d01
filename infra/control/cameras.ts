import { Type } from '@sinclair/typebox';
import { shownCamera, shownEntry, stateOf, whyOf } from '#infra/fleet/text.ts';
import type { CameraEntry, FleetList, Registry } from '#producers/fleet/registry.ts';
import { type App, MERGE_PATCH, PROBLEMS } from './app.ts';
import type { Audit } from './audit.ts';
import { Camera, CameraId, CameraPatch, CameraPut } from './camera-schemas.ts';
import { changeCamera, missing, patched, removeCamera, replaced } from './change-camera.ts';
import { CameraInFleet, CameraState, CameraStatus } from './fleet-schemas.ts';
import { Next, PAGING, pageOf } from './paging.ts';
import { etagOf, Preconditions } from './preconditions.ts';

export interface CameraDesk {
  readonly registry: Registry;
  /** All of it, which takes Redis and us longer the more cameras there are. */
  readonly listFleet: () => Promise<FleetList>;
  readonly audit: Audit;
}

const COMMON = { tags: ['cameras'] };
const ONE = { ...COMMON, params: Type.Object({ id: CameraId }) };
const IfMatch = Type.Optional(
  Type.String({ description: 'Only if the camera has this version; * for any.' }),
);
const IfNoneMatch = Type.Optional(
  Type.String({ description: '*: only if there is no such camera.' }),
);
const CHANGED = { ...Camera, headers: { etag: { type: 'string', description: 'Its version.' } } };

export function cameraRoutes(app: App, desk: CameraDesk): void {
  listRoute(app, desk);
  readRoutes(app, desk);
  putRoute(app, desk);
  patchRoute(app, desk);
  deleteRoute(app, desk);
  drainRoute(app, desk);
}

function listRoute(app: App, { listFleet }: CameraDesk): void {
  app.get(
    '/v1/cameras',
    {
      schema: {
        ...COMMON,
        operationId: 'listCameras',
        summary: 'How all cameras are, and who has them',
        querystring: Type.Object(
          { ...PAGING, state: Type.Optional(CameraState) },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object(
            { cameras: Type.Array(CameraInFleet), next: Next },
            { title: 'Cameras' },
          ),
          ...PROBLEMS,
        },
      },
    },
    async ({ query }) => {
      const { cameras } = await listFleet();
      const asked = cameras.filter((entry) => (query.state ?? stateOf(entry)) === stateOf(entry));
      const { items, next } = pageOf(asked, ({ camera }) => camera.id, query);
      return { cameras: items.map(viewOf), next };
    },
  );
}

function readRoutes(app: App, { registry, listFleet }: CameraDesk): void {
  app.get(
    '/v1/cameras/:id',
    {
      schema: {
        ...ONE,
        operationId: 'getCamera',
        summary: 'A camera as it is wanted',
        headers: Type.Object({ 'if-none-match': Type.Optional(Type.String()) }),
        response: {
          200: CHANGED,
          304: { type: 'null', description: 'It is as If-None-Match says.' },
          ...PROBLEMS,
        },
      },
    },
    async ({ params: { id }, headers }, reply) => {
      const camera = await registry.get(id);
      if (camera === undefined) throw missing(id);
      reply.headers({ etag: etagOf(camera.version), 'cache-control': 'private, no-cache' });
      const conditions = new Preconditions({ 'if-none-match': headers['if-none-match'] });
      if (conditions.isFresh(camera.version)) return reply.code(304).send();
      return reply.code(200).send(shownCamera(camera));
    },
  );
  app.get(
    '/v1/cameras/:id/status',
    {
      schema: {
        ...ONE,
        operationId: 'getCameraStatus',
        summary: 'How a camera is, and who has it',
        response: { 200: CameraStatus, ...PROBLEMS },
      },
    },
    async ({ params: { id } }) => statusOf(await find(listFleet, id)),
  );
}

function putRoute(app: App, { registry, audit }: CameraDesk): void {
  app.put(
    '/v1/cameras/:id',
    {
      schema: {
        ...ONE,
        operationId: 'putCamera',
        summary: 'Adds a camera, or replaces it',
        description: 'Without conditions it replaces whatever is there.',
        headers: Type.Object({ 'if-match': IfMatch, 'if-none-match': IfNoneMatch }),
        body: CameraPut,
        response: { 200: CHANGED, 201: { ...CHANGED, description: 'It is new.' }, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { params, body, headers } = request;
      const conditions = new Preconditions(headers);
      const { before, after } = await changeCamera(registry, params.id, conditions, (stored) => {
        return replaced(params.id, body, stored);
      });
      const shown = shownCamera(after);
      if (before?.version !== after.version) {
        const what = before === undefined ? 'camera-added' : 'camera-replaced';
        audit(request, { what, subject: params.id, before: shownOr(before), after: shown });
      }
      reply.header('etag', etagOf(after.version));
      if (before !== undefined) return reply.code(200).send(shown);
      return reply.header('location', `/v1/cameras/${params.id}`).code(201).send(shown);
    },
  );
}

function patchRoute(app: App, { registry, audit }: CameraDesk): void {
  app.patch(
    '/v1/cameras/:id',
    {
      schema: {
        ...ONE,
        operationId: 'patchCamera',
        summary: 'Changes what is named of a camera, and nothing else',
        headers: Type.Object({ 'if-match': IfMatch }),
        consumes: [MERGE_PATCH],
        body: CameraPatch,
        response: { 200: CHANGED, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { params, body, headers } = request;
      const conditions = new Preconditions({ 'if-match': headers['if-match'] });
      const { before, after } = await changeCamera(registry, params.id, conditions, (stored) => {
        if (stored === undefined) throw missing(params.id);
        return patched(body, stored);
      });
      const shown = shownCamera(after);
      if (before?.version !== after.version) {
        const subject = params.id;
        audit(request, { what: 'camera-changed', subject, before: shownOr(before), after: shown });
      }
      return reply.header('etag', etagOf(after.version)).code(200).send(shown);
    },
  );
}

function deleteRoute(app: App, { registry, audit }: CameraDesk): void {
  app.delete(
    '/v1/cameras/:id',
    {
      schema: {
        ...ONE,
        operationId: 'deleteCamera',
        summary: 'Takes a camera out of the registry',
        description: 'Its owner publishes what was captured, and stops.',
        headers: Type.Object({ 'if-match': IfMatch }),
        response: { 204: { type: 'null', description: 'It was removed.' }, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { params, headers } = request;
      const conditions = new Preconditions({ 'if-match': headers['if-match'] });
      const before = await removeCamera(registry, params.id, conditions);
      audit(request, { what: 'camera-removed', subject: params.id, before: shownCamera(before) });
      return reply.code(204).send();
    },
  );
}

function drainRoute(app: App, { registry, listFleet, audit }: CameraDesk): void {
  app.post(
    '/v1/cameras/:id/drain',
    {
      schema: {
        ...ONE,
        operationId: 'drainCamera',
        summary: 'Disables a camera, whose owner publishes what was captured',
        description: 'It is drained when its state is "disabled": ask status until then.',
        headers: Type.Object({ 'if-match': IfMatch }),
        response: {
          200: { ...CameraStatus, description: 'It is drained.' },
          202: { ...CameraStatus, description: 'Its owner is at it.' },
          ...PROBLEMS,
        },
      },
    },
    async (request, reply) => {
      const { params, headers } = request;
      const conditions = new Preconditions({ 'if-match': headers['if-match'] });
      const { before, after } = await changeCamera(registry, params.id, conditions, (stored) => {
        if (stored === undefined) throw missing(params.id);
        const { version: _, ...camera } = stored;
        return { ...camera, enabled: false };
      });
      if (before?.version !== after.version) {
        const views = { before: shownOr(before), after: shownCamera(after) };
        audit(request, { what: 'camera-drained', subject: params.id, ...views });
      }
      const status = statusOf(await find(listFleet, params.id));
      reply.header('location', `/v1/cameras/${params.id}/status`);
      return reply.code(status.state === 'disabled' ? 200 : 202).send(status);
    },
  );
}

async function find(listFleet: CameraDesk['listFleet'], id: string): Promise<CameraEntry> {
  const { cameras } = await listFleet();
  const entry = cameras.find(({ camera }) => camera.id === id);
  if (entry === undefined) throw missing(id);
  return entry;
}

function viewOf(entry: CameraEntry) {
  return { ...shownEntry(entry), state: stateOf(entry), why: whyOf(entry) };
}

function statusOf(entry: CameraEntry) {
  const { id, version, placement, live, state, why } = viewOf(entry);
  return { id, version, state, why, placement, live };
}

function shownOr(camera: Parameters<typeof shownCamera>[0] | undefined) {
  return camera === undefined ? undefined : shownCamera(camera);
}
