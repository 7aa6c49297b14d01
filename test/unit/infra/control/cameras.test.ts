import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '#infra/control/audit.ts';
import type { WantedCamera } from '#producers/fleet/wanted-camera.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { wanted } from '#test/contract/registry.ts';
import { type ControlOffice, withOffice } from './control-office.ts';

const GATE = '/v1/cameras/gate';
const SECRET = 'rtsp://viewer:hidden@192.0.2.10/stream2';
const SHOWN = 'rtsp://***@192.0.2.10/stream2';

async function put(office: ControlOffice, camera: WantedCamera): Promise<number> {
  return office.drive(office.registry.put(camera));
}

describe('PUT /v1/cameras/{id}', () => {
  it('adds a camera, and says which version it has', () =>
    withOffice(async (office) => {
      const { status, headers, body } = await office.ask('PUT', GATE, { source: 'a.mp4' });
      expect(status).toBe(201);
      expect(headers).toMatchObject({ location: GATE, etag: `"${body.version}"` });
      const { version: _, ...camera } = body;
      expect(camera).toEqual(wanted('gate', { source: 'a.mp4' }));
      expect(await office.drive(office.registry.get('gate'))).toEqual(body);
    }));

  it('replaces one, and takes what GET answered', () =>
    withOffice(async (office) => {
      await put(office, wanted('gate', { source: SECRET, ratePoint: 2, labels: { a: 'b' } }));
      const { body: read } = await office.ask('GET', GATE);
      expect(read).toMatchObject({ source: SHOWN });
      const back = { ...read, framesPerSecond: 9, rate: {} };
      const { status, body } = await office.ask('PUT', GATE, back);
      expect(status).toBe(200);
      expect(body).toEqual({ ...read, framesPerSecond: 9, version: body.version });
      const stored = await office.drive(office.registry.get('gate'));
      expect(stored).toMatchObject({ source: SECRET, framesPerSecond: 9 });
      expect(stored).not.toHaveProperty('rate');
      const again = await office.ask('PUT', GATE, back);
      expect(again).toMatchObject({ status: 412, body: { code: 'precondition-failed' } });
      const changes = office.log.filter(({ event }) => event === 'audit');
      expect(changes).toHaveLength(1);
      expect(changes[0]).toMatchObject({
        ...{ who: 'maria', from: '127.0.0.1', what: 'camera-replaced', subject: 'gate' },
        ...{ before: digestOf(read), after: digestOf(body) },
      });
      expect(JSON.stringify(office.log)).not.toContain('hidden');
    }));

  it('says every mistake, and what is allowed', () =>
    withOffice(async (office) => {
      const { status, headers, body } = await office.ask('PUT', GATE, {
        ...{ framePerSecond: 3, ratePoint: -1, rate: { coarsest: 1.5, bytesPerFrameMax: 1 } },
        labels: { site: 'north side', 'a b': 'c' },
      });
      expect(status).toBe(400);
      expect(headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(body).toMatchObject({ code: 'request-invalid', title: 'Bad Request', status: 400 });
      const label = '1 to 64 letters, digits, ".", "_", "/" or "-"';
      expect(body.errors).toEqual([
        { pointer: '#/source', detail: 'is missing' },
        { pointer: '#/framePerSecond', detail: 'is not known here: is it framesPerSecond?' },
        { pointer: '#/ratePoint', detail: 'must be a name or an index, from 0' },
        { pointer: '#/rate/coarsest', detail: 'must be a name or an index, from 0' },
        { pointer: '#/rate/bytesPerFrameMax', detail: 'must be a number from 100 to 258048' },
        { pointer: '#/labels/site', detail: `must be ${label}` },
        {
          pointer: '#/labels/a b',
          detail: 'is no key: it must match ^[A-Za-z0-9._/-]{1,64}$',
        },
      ]);
      expect(body.detail).toContain('framePerSecond is not known here: is it framesPerSecond?');
    }));

  it.each([
    [{ source: 'http://camera/1' }, 'source has the scheme "http", but must be rtsp'],
    [{ source: 'synthetic:yrad' }, 'source names no scene: "yrad"; known here: yard'],
    [{ source: SHOWN }, 'source holds *** in place of a password'],
    [{ source: 'a.mp4', id: 'yard' }, 'id is yard, and the path says gate.'],
    [{ source: 'a.mp4', version: 7 }, 'camera gate is not there, not version 7.'],
    [{ source: 'a.mp4', framesPerSecond: '5' }, 'framesPerSecond must be a number from 0.1 to 60'],
    [{ source: 'a.mp4', enabled: 'yes' }, 'enabled must be true or false'],
    [{ source: 'a.mp4', heads: 'detection' }, 'heads must be a list of 1 to 16 names'],
    [{ source: 'a.mp4', heads: [] }, 'heads must be a list of 1 to 16 names'],
    [{ source: 'a.mp4', preview: { everySeconds: 9 } }, 'preview'],
    [{ source: 'a.mp4', preview: true }, 'preview must be an object'],
    [undefined, 'the body is wrong: it must be an object'],
    [[], 'the body is wrong: it must be an object'],
  ])('refuses %j', (camera, detail) =>
    withOffice(async (office) => {
      const { status, body } = await office.ask('PUT', GATE, camera);
      expect([400, 412]).toContain(status);
      expect(body.detail).toContain(detail);
      expect(await office.drive(office.registry.get('gate'))).toBeUndefined();
    }),
  );

  it('tells of many mistakes the first', () =>
    withOffice(async (office) => {
      const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x${at}`, at]));
      const { body } = await office.ask('PUT', GATE, { ...many, ['y'.repeat(500)]: 1 });
      expect(body.errors).toHaveLength(LIMITS.controlMistakesMax);
      const long = await office.ask('PUT', GATE, { source: 'a.mp4', ['y'.repeat(9_000)]: 1 });
      expect(JSON.stringify(long.body).length).toBeLessThan(1_000);
    }));

  it('answers whatever is sent', () =>
    withOffice(async (office) => {
      const key = fc.constantFrom('source', 'rate', 'labels', 'heads', 'ratePoint', 'version', 'x');
      const body = fc.oneof(fc.jsonValue(), fc.dictionary(key, fc.jsonValue()));
      const answers = fc.asyncProperty(
        body,
        fc.constantFrom('PUT', 'PATCH'),
        async (sent, verb) => {
          const { status } = await office.ask(verb as 'PUT', GATE, sent);
          expect([200, 201, 400, 404, 412]).toContain(status);
        },
      );
      await fc.assert(answers, { numRuns: 300 });
    }));

  it('refuses an id that is none', () =>
    withOffice(async (office) => {
      const { status, body } = await office.ask('PUT', '/v1/cameras/a%20b', { source: 'a.mp4' });
      expect(status).toBe(400);
      expect(body.detail).toMatch(/^the path is wrong: id must be 1 to 64 letters, digits/);
    }));

  it('takes the conditions of HTTP', () =>
    withOffice(async (office) => {
      const isNew = { 'if-none-match': '*' };
      const body = { source: 'a.mp4' };
      const { headers } = await office.ask('PUT', GATE, body, isNew);
      const etag = String(headers.etag);
      const statusWith = async (conditions: Record<string, string>) => {
        const answer = await office.ask('PUT', GATE, { ...body, framesPerSecond: 7 }, conditions);
        return `${answer.status} ${answer.body.detail}`;
      };
      expect(await statusWith(isNew)).toMatch(/^412 .*gate has version \d+, against If-None-Match/);
      expect(await statusWith({ 'if-match': '"99"' })).toMatch(/^412 .*against If-Match/);
      expect(await statusWith({ 'if-match': `W/${etag}` })).toMatch(/^412/);
      expect(await statusWith({ 'if-match': '12' })).toMatch(/^400 If-Match is no list of ETags/);
      expect(await statusWith({ 'if-match': `"1234", ${etag}` })).toMatch(/^200/);
      expect(await statusWith({ 'if-match': '*' })).toMatch(/^200/);
    }));

  it('says that there is no room', () =>
    withOffice(async (office) => {
      office.registry.put = async () => {
        throw new HalfsightError('registry-full', 'the registry holds 10000 cameras already.');
      };
      const answer = await office.ask('PUT', GATE, { source: 'a.mp4' });
      expect(answer).toMatchObject({ status: 409, body: { code: 'registry-full' } });
    }));

  it('decides again where somebody else is faster, and gives up in the end', () =>
    withOffice(async (office) => {
      await put(office, wanted('gate'));
      const { get } = office.registry;
      let rivals = 1;
      office.registry.get = async (id) => {
        const read = await get(id);
        if (rivals-- > 0) {
          await office.registry.put(wanted('gate', { framesPerSecond: 10 + (rivals % 40) }));
        }
        return read;
      };
      const patch = { labels: { a: 'b' } };
      expect(await office.ask('PATCH', GATE, patch)).toMatchObject({
        ...{ status: 200, body: { framesPerSecond: 10, labels: { a: 'b' } } },
      });
      rivals = 100;
      expect(await office.ask('PATCH', GATE, { framesPerSecond: 3 })).toMatchObject({
        ...{ status: 409, body: { code: 'camera-conflict' } },
      });
    }));
});

describe('PATCH /v1/cameras/{id}', () => {
  it('changes what is named, and takes away what is null', () =>
    withOffice(async (office) => {
      const rate = { adaptive: true, coarsest: 3 };
      const others = { source: SECRET, ratePoint: 'fine', rate, labels: { a: 'b', c: 'd' } };
      const version = await put(office, wanted('gate', others));
      const { status, headers, body } = await office.ask(
        'PATCH',
        GATE,
        { ratePoint: null, rate: { adaptive: null, bytesPerSecondMax: 4000 }, labels: { a: null } },
        { 'if-match': `"${version}"` },
      );
      expect(status).toBe(200);
      expect(headers.etag).toBe(`"${body.version}"`);
      const left = { rate: { coarsest: 3, bytesPerSecondMax: 4000 }, labels: { c: 'd' } };
      expect(await office.drive(office.registry.get('gate'))).toEqual({
        ...{ ...wanted('gate', { source: SECRET }), ...left, version: body.version },
      });
      expect(office.log.at(-1)).toMatchObject({ event: 'audit', what: 'camera-changed' });
      await office.ask('PATCH', GATE, { heads: ['detection'] });
      expect(await office.drive(office.registry.get('gate'))).toMatchObject({
        heads: ['detection'],
      });
      const preview = { everySeconds: 30, width: 160 };
      await office.ask('PATCH', GATE, { preview });
      expect((await office.ask('GET', GATE)).body).toMatchObject({ preview });
      await office.ask('PATCH', GATE, { preview: null, framesPerSecond: 5 });
      expect(await office.drive(office.registry.get('gate'))).not.toHaveProperty('preview');
      await office.ask('PATCH', GATE, { rate: null, heads: null, source: SHOWN });
      const stored = await office.drive(office.registry.get('gate'));
      expect(stored).not.toHaveProperty('heads');
      expect(stored).not.toHaveProperty('rate');
      expect(stored).toHaveProperty('source', SECRET);
    }));

  it('lets one of two writers win', () =>
    withOffice(async (office) => {
      const version = await put(office, wanted('gate'));
      const condition = { 'if-match': `"${version}"` };
      const answers = await Promise.all([
        office.ask('PATCH', GATE, { framesPerSecond: 7 }, condition),
        office.ask('PATCH', GATE, { framesPerSecond: 8 }, condition),
      ]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412]);
      const [loser] = answers.filter(({ status }) => status === 412);
      const stored = await office.drive(office.registry.get('gate'));
      expect(loser?.headers.etag).toBe(`"${stored?.version}"`);
    }));

  it.each([
    [{ rate: { bytesPerSecondMax: 1 } }, 'rate.bytesPerSecondMax must be a number from 100'],
    [{ framesPerSecond: null }, 'framesPerSecond must be a number from 0.1 to 60'],
    [{ source: 'rtsp://***@192.0.2.99/stream2' }, 'source holds *** in place of a password'],
    [{ label: {} }, 'label is not known here: is it labels?'],
    [{}, 'it must be an object that changes something'],
    [
      { labels: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [at, 'x'])) },
      'at most 16',
    ],
  ])('refuses %j', (patch, detail) =>
    withOffice(async (office) => {
      await put(office, wanted('gate', { source: SECRET }));
      const { status, body } = await office.ask('PATCH', GATE, patch);
      expect(status).toBe(400);
      expect(body.detail).toContain(detail);
    }),
  );

  it('finds no camera that is not there', () =>
    withOffice(async (office) => {
      const { status, body } = await office.ask('PATCH', GATE, { enabled: false });
      expect(status).toBe(404);
      expect(body).toMatchObject({
        ...{ code: 'camera-missing', detail: 'the registry has no camera "gate".' },
        advice: 'GET /v1/cameras lists those that it has.',
      });
    }));
});

describe('GET /v1/cameras/{id}', () => {
  it('answers a camera without its password, once', () =>
    withOffice(async (office) => {
      const version = await put(office, wanted('gate', { source: SECRET }));
      const { status, headers, body } = await office.ask('GET', GATE);
      expect(status).toBe(200);
      expect(body).toEqual({ ...wanted('gate', { source: SHOWN }), version });
      const known = { 'if-none-match': String(headers.etag) };
      expect((await office.ask('GET', GATE, undefined, known)).status).toBe(304);
      await put(office, wanted('gate', { source: 'b.mp4' }));
      expect((await office.ask('GET', GATE, undefined, known)).status).toBe(200);
    }));

  it('finds none', () =>
    withOffice(async (office) => {
      expect((await office.ask('GET', GATE)).body.code).toBe('camera-missing');
      expect((await office.ask('GET', `${GATE}/status`)).body.code).toBe('camera-missing');
    }));
});

describe('GET /v1/cameras', () => {
  it('lists them, page by page', () =>
    withOffice(async (office) => {
      for (const id of ['a', 'b', 'c', 'd', 'e']) {
        await put(office, wanted(id, { enabled: id !== 'b', source: SECRET }));
      }
      const first = await office.ask('GET', '/v1/cameras?limit=2');
      expect(first.body).toMatchObject({
        cameras: [
          { id: 'a', source: SHOWN, state: 'unplaced', why: 'no agent is running', live: null },
          { id: 'b', state: 'disabled', why: '' },
        ],
        next: 'b',
      });
      await office.drive(office.registry.remove('b'));
      const ids = async (query: string) => {
        const { body } = await office.ask('GET', `/v1/cameras?${query}`);
        return [(body.cameras as { id: string }[]).map(({ id }) => id).join(), body.next];
      };
      expect(await ids('limit=2&after=b')).toEqual(['c,d', 'd']);
      expect(await ids('limit=2&after=d')).toEqual(['e', null]);
      expect(await ids('after=e')).toEqual(['', null]);
      expect(await ids('state=disabled')).toEqual(['', null]);
    }));

  it.each([
    ['limit=0', 'limit must be a whole number from 1 to 1000'],
    ['limit=x', 'limit must be a whole number from 1 to 1000'],
    ['state=happy', 'state must be "disabled" or "waiting" or'],
    ['lmit=5', 'lmit is not known here: is it limit?'],
  ])('refuses ?%s', (query, detail) =>
    withOffice(async (office) => {
      const { status, body } = await office.ask('GET', `/v1/cameras?${query}`);
      expect(status).toBe(400);
      expect(body.detail).toContain(detail);
    }),
  );
});

describe('DELETE /v1/cameras/{id}', () => {
  it('takes one out, if it is the one that is meant', () =>
    withOffice(async (office) => {
      const version = await put(office, wanted('gate'));
      const other = await office.ask('DELETE', GATE, undefined, { 'if-match': '"99"' });
      expect(other.status).toBe(412);
      const condition = { 'if-match': `"${version}"` };
      expect((await office.ask('DELETE', GATE, undefined, condition)).status).toBe(204);
      expect(await office.drive(office.registry.get('gate'))).toBeUndefined();
      expect(office.log.at(-1)).toMatchObject({ what: 'camera-removed', after: 'none' });
      expect((await office.ask('DELETE', GATE)).status).toBe(404);
    }));

  it('takes no body', () =>
    withOffice(async (office) => {
      const { status, body } = await office.ask('DELETE', GATE, {});
      expect([status, body.detail]).toEqual([415, 'this route takes no body.']);
    }));
});

describe('POST /v1/cameras/{id}/drain', () => {
  it('disables a camera, and says when it is drained', () =>
    withOffice(async (office) => {
      await put(office, wanted('gate'));
      const profile = { agentId: 'north', camerasMax: 1, framesPerSecondMax: 10 };
      const agent = office.open('north');
      const { session } = await office.drive(agent.join(profile, 0));
      const beat = { session, epochMs: 0, revision: 0, share: 1, gives: [], live: [] };
      const { leases = [] } = (await office.drive(agent.beat(beat))) ?? {};
      const { status, headers, body } = await office.ask('POST', `${GATE}/drain`);
      expect(status).toBe(202);
      expect(headers.location).toBe(`${GATE}/status`);
      expect(body).toMatchObject({ state: 'leaving', placement: { agentId: 'north' } });
      expect(await office.ask('GET', `${GATE}/status`)).toMatchObject({ body });
      await office.drive(agent.beat({ ...beat, gives: leases, share: 0 }));
      const again = await office.ask('POST', `${GATE}/drain`);
      expect(again).toMatchObject({ status: 200, body: { state: 'disabled' } });
      expect(office.log.filter(({ what }) => what === 'camera-drained')).toHaveLength(1);
    }));

  it('finds none', () =>
    withOffice(async (office) => {
      expect((await office.ask('POST', `${GATE}/drain`)).status).toBe(404);
    }));
});
