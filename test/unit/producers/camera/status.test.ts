import { describe, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import { StatusReporter } from '#producers/camera/status.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger, silentLogger } from '#runtime/log.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { ManualClock, settle } from '#test/fixtures/manual-clock.ts';

async function setUp(cameraIds: readonly string[] = ['gate']) {
  const clock = new ManualClock();
  const books = cameraIds.map((cameraId) => new CameraBook(cameraId));
  const held = new Map(books.map((book) => [book.cameraId, book]));
  const sent: CameraStatus[] = [];
  const broker = { isAway: false };
  const reporter = new StatusReporter({
    agentId: 'agent-1',
    books: held,
    send: async (statuses) => {
      if (broker.isAway) throw new HalfsightError('publish-failed', 'the broker is away.');
      sent.push(...statuses);
    },
    clock,
    logger: silentLogger,
  });
  reporter.start();
  await settle();
  const capture = (epoch: number, sequence: number, book = books[0]) => {
    const identity = { cameraId: book?.cameraId ?? '', epoch, sequence };
    return book?.captured(identity, clock.nowUs());
  };
  return { clock, books, book: books[0], held, sent, broker, reporter, capture };
}

const STATUS_MS = LIMITS.statusIntervalMs;

describe('StatusReporter', () => {
  it('tells a change of state at once', async () => {
    const { book, sent, reporter } = await setUp();
    expect(sent).toMatchObject([{ cameraId: 'gate', state: 'connecting', epoch: 0, final: false }]);
    book?.stateChanged({ state: 'offline', detail: 'connection refused', reconnects: 1 });
    reporter.reportNow();
    await settle();
    expect(sent.at(-1)).toMatchObject({
      agentId: 'agent-1',
      state: 'offline',
      detail: 'connection refused',
      reconnects: 1,
    });
  });

  it('tells counts and rate once an interval while they change, then is silent', async () => {
    const { clock, sent, capture } = await setUp();
    await clock.advance(STATUS_MS);
    expect(sent).toHaveLength(1);
    capture(1000, 0)?.publish(0);
    capture(1000, 1)?.drop(1, 'encoder-busy');
    await clock.advance(STATUS_MS);
    expect(sent).toHaveLength(2);
    expect(sent.at(-1)).toMatchObject({
      epoch: 1000,
      captured: 2,
      published: 1,
      dropped: { 'encoder-busy': 1 },
      framesPerSecond: 2,
      final: false,
    });
    await clock.advance(STATUS_MS * 5);
    expect(sent).toHaveLength(3);
    expect(sent.at(-1)).toMatchObject({ framesPerSecond: 0 });
  });

  it('tells the final counts of an old epoch when its last frame is settled', async () => {
    const { clock, sent, capture } = await setUp();
    const first = capture(1000, 0);
    const second = capture(2000, 0);
    await clock.advance(STATUS_MS);
    expect(sent.filter(({ final }) => final)).toEqual([]);
    first?.publish(0);
    await clock.advance(STATUS_MS);
    const [old, present] = sent.slice(-2);
    expect(old).toMatchObject({ epoch: 1000, captured: 1, published: 1, final: true });
    expect(present, 'the newest epoch has the last word').toMatchObject({ epoch: 2000 });
    second?.publish(0);
    await clock.advance(STATUS_MS * 3);
    expect(sent.filter(({ final }) => final)).toHaveLength(1);
  });

  it.each(['leaving', 'left'] as const)(
    'lets go of a camera that is %s when all is told',
    async (standing) => {
      const { clock, book, held, sent, capture } = await setUp();
      const account = capture(1000, 0);
      account?.store(0);
      await clock.advance(STATUS_MS);
      sent.length = 0;
      book?.endEpoch();
      book?.given(standing, 'handed on');
      await clock.advance(STATUS_MS);
      // Whoever has the camera by then speaks for it.
      const present = { state: 'offline', detail: 'handed on', final: false };
      expect(sent.splice(0)).toMatchObject(standing === 'left' ? [] : [present]);
      expect(held.size, 'a frame is still in the spool').toBe(1);
      account?.publishStored();
      await clock.advance(STATUS_MS);
      expect(sent).toMatchObject([{ ...present, epoch: 1000, published: 1, final: true }]);
      expect(held.size).toBe(0);
    },
  );

  it('keeps the book of a camera that has come back', async () => {
    const { clock, book, held, sent, capture } = await setUp();
    capture(1000, 0)?.publish(0);
    book?.endEpoch();
    book?.given('leaving', 'handed on');
    book?.taken();
    await clock.advance(STATUS_MS);
    expect(sent.at(-1)).toMatchObject({ state: 'connecting', final: true });
    expect(held.size).toBe(1);
  });

  it('keeps a final status until the broker has it', async () => {
    const { clock, sent, broker, capture } = await setUp();
    capture(1000, 0)?.publish(0);
    broker.isAway = true;
    capture(2000, 0);
    await clock.advance(STATUS_MS * 5);
    expect(sent.filter(({ final }) => final)).toEqual([]);
    broker.isAway = false;
    await clock.advance(STATUS_MS);
    expect(sent.filter(({ final }) => final)).toMatchObject([{ epoch: 1000, published: 1 }]);
  });

  it('ends with a final status for each camera, captured = published + dropped', async () => {
    const { sent, books, reporter, capture } = await setUp(['a', 'b', 'never-seen']);
    capture(1000, 0, books[0])?.publish(0);
    capture(1000, 1, books[0])?.drop(1, 'shutdown');
    capture(3000, 0, books[1])?.publish(0);
    books[1]?.stateChanged({ state: 'ended', detail: 'end of file', reconnects: 0 });
    await reporter.finish();
    const final = sent.filter((status) => status.final);
    expect(final).toMatchObject([
      { cameraId: 'a', captured: 2, published: 1, dropped: { shutdown: 1 }, state: 'offline' },
      { cameraId: 'b', captured: 1, published: 1, dropped: {}, state: 'ended' },
    ]);
    expect(sent.at(-1)).toMatchObject({ cameraId: 'never-seen', epoch: 0, final: false });
  });

  it('tries final statuses again, and gives up in time when the broker stays away', async () => {
    const { clock, sent, broker, reporter, capture } = await setUp();
    capture(1000, 0)?.publish(0);
    broker.isAway = true;
    let isFinished = false;
    const finished = reporter.finish().then(() => {
      isFinished = true;
    });
    await clock.advance(LIMITS.statusDrainTimeoutMs - 1);
    expect(isFinished).toBe(false);
    await clock.advance(LIMITS.publishRetryDelayMsMin + 1);
    await finished;
    expect(sent.filter(({ final }) => final)).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });

  it('has one send on its way at a time, also when it finishes in the middle of one', async () => {
    const clock = new ManualClock();
    const book = new CameraBook('gate');
    const answers: (() => void)[] = [];
    let sending = 0;
    const sent: CameraStatus[] = [];
    const reporter = new StatusReporter({
      agentId: 'agent-1',
      books: new Map([['gate', book]]),
      send: async (statuses) => {
        expect(++sending, 'sends on their way').toBe(1);
        await new Promise<void>((resolve) => answers.push(resolve));
        sent.push(...statuses);
        sending--;
      },
      clock,
      logger: silentLogger,
    });
    reporter.start();
    book.captured({ cameraId: 'gate', epoch: 1000, sequence: 0 }, 1).publish(0);
    reporter.reportNow();
    const finished = reporter.finish();
    for (let index = 0; index < 5; index++) {
      answers.shift()?.();
      await settle();
    }
    await finished;
    expect(sent.at(-1)).toMatchObject({ epoch: 1000, published: 1, final: true });
    expect(clock.timerCount).toBe(0);
  });

  it('logs the final counts that it could not tell, also behind a send that hangs', async () => {
    const clock = new ManualClock();
    const book = new CameraBook('gate');
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const reporter = new StatusReporter({
      agentId: 'agent-1',
      books: new Map([['gate', book]]),
      send: () => new Promise(() => undefined),
      clock,
      logger: createLogger({ level: 'error', format: 'json', write }),
    });
    reporter.start();
    book.captured({ cameraId: 'gate', epoch: 1000, sequence: 0 }, 1).drop(0, 'shutdown');
    const finished = reporter.finish();
    await clock.advance(LIMITS.statusDrainTimeoutMs);
    await finished;
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'status-untold', cameraId: 'gate', captured: 1, dropped: '{"shutdown":1}' },
    ]);
  });
});
