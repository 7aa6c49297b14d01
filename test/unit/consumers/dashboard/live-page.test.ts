import { describe, expect, it } from 'vitest';
import { LivePage, type PageNews, readClientMessage } from '#consumers/dashboard/live-page.ts';
import { LIMITS } from '#runtime/limits.ts';

class FakeSocket {
  bufferedAmount = 0;
  readonly sent: { readonly type: string; readonly cameras?: readonly unknown[] }[] = [];

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  take() {
    return this.sent.splice(0);
  }
}

/** What the wall would tell now. */
function news(versions: Readonly<Record<string, number>>, fleet = 1): PageNews {
  return {
    fleet: { version: fleet, text: JSON.stringify({ type: 'fleet', fleet }) },
    rowsAfter: (version) => ({ rows: [], gone: [], version }),
    newestOf: (cameraId) => {
      const version = versions[cameraId];
      if (version === undefined) return undefined;
      return { version, text: () => JSON.stringify({ cameraId, version }) };
    },
  };
}

describe('LivePage', () => {
  it('is sent the newest results of what it watches, each once, and hears what it missed', () => {
    const socket = new FakeSocket();
    const page = new LivePage(socket);
    page.watch(['gate']);
    expect(page.send(news({ gate: 3, yard: 9 }))).toEqual({ results: 1, passedOver: 0 });
    expect(socket.take()).toEqual([
      { type: 'fleet', fleet: 1 },
      { type: 'results', cameras: [{ cameraId: 'gate', version: 3 }] },
    ]);
    expect(page.send(news({ gate: 3 }))).toEqual({ results: 0, passedOver: 0 });
    expect(socket.take()).toEqual([]);
    expect(page.send(news({ gate: 8 }))).toEqual({ results: 1, passedOver: 4 });
    expect(socket.take()).toEqual([
      { type: 'results', cameras: [{ cameraId: 'gate', version: 8 }] },
    ]);
  });

  it('goes on with cameras that it watched before', () => {
    const socket = new FakeSocket();
    const page = new LivePage(socket);
    page.watch(['gate']);
    page.send(news({ gate: 1 }));
    page.watch(['gate', 'yard']);
    socket.take();
    page.send(news({ gate: 1, yard: 5 }));
    expect(socket.take()).toMatchObject([{ cameras: [{ cameraId: 'yard' }] }]);
    expect([...page.watched]).toEqual(['gate', 'yard']);
  });

  it('is sent rows from where it is', () => {
    const socket = new FakeSocket();
    const page = new LivePage(socket);
    const asked: number[] = [];
    const rowsAfter = (version: number) => {
      asked.push(version);
      return { rows: ['{"cameraId":"gate"}'], gone: ['yard'], version: version + 10 };
    };
    page.send({ ...news({}), rowsAfter });
    page.send({ ...news({}), rowsAfter });
    expect(asked).toEqual([0, 10]);
    expect(socket.take().map(({ type }) => type)).toEqual([
      ...['fleet', 'cameras', 'gone', 'cameras', 'gone'],
    ]);
  });

  it('takes nothing more while much waits to be read, and no refusal either', () => {
    const socket = new FakeSocket();
    const page = new LivePage(socket);
    expect(page.canTake).toBe(true);
    socket.bufferedAmount = LIMITS.wallUnsentBytesMax + 1;
    expect(page.canTake).toBe(false);
    page.refuse({ code: 'message-invalid', message: '', advice: '' });
    expect(socket.sent).toEqual([]);
  });
});

describe('readClientMessage', () => {
  it('reads what a page may say', () => {
    const message = { type: 'watch', cameraIds: ['gate'] };
    expect(readClientMessage(JSON.stringify({ ...message, more: 1 }))).toEqual(message);
  });

  it.each([
    ['', 'message-invalid'],
    ['null', 'message-invalid'],
    ['{"type":"watch"}', 'message-invalid'],
    ['{"type":"watch","cameraIds":[1]}', 'message-invalid'],
    ['{"type":"sit","cameraIds":[]}', 'message-invalid'],
    [JSON.stringify({ type: 'watch', cameraIds: new Array(201).fill('a') }), 'watched-too-many'],
    ['"'.padEnd(LIMITS.wallMessageBytesMax + 1, 'x'), 'message-too-large'],
  ])('refuses %.40s: %s', (text, code) => {
    expect(readClientMessage(text)).toMatchObject({ code, advice: expect.stringMatching(/\.$/) });
  });
});
