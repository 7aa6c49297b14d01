import { describe, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import { logTelemetry, Telemetry } from '#producers/camera/telemetry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

function setUp() {
  const books = [new CameraBook('a'), new CameraBook('b')];
  const backlog = { records: 0, bytes: 77, publishedBytes: 0 };
  const telemetry = new Telemetry(new Map(books.map((book) => [book.cameraId, book])), {
    memory: () => backlog,
    spool: () => undefined,
  });
  return { books, telemetry };
}

describe('Telemetry', () => {
  it('measures each camera and their total', () => {
    const { books, telemetry } = setUp();
    for (let sequence = 0; sequence < 100; sequence++) {
      const account = books[0]?.captured({ cameraId: 'a', epoch: 1000, sequence }, 1);
      telemetry.encoded('a', (sequence + 1) * 1000, 10);
      account?.publish(sequence);
    }
    books[1]?.captured({ cameraId: 'b', epoch: 1000, sequence: 0 }, 1).drop(0, 'encoder-busy');
    const { cameras, total } = telemetry.snapshot();
    expect(cameras[0]).toMatchObject({ captured: 100, encoded: 100, published: 100 });
    expect(cameras[0]).toMatchObject({ bitstreamBytes: 1000, encodeMsP50: 51, encodeMsP95: 96 });
    expect(cameras[1]).toMatchObject({ captured: 1, encoded: 0, encodeMsP50: undefined });
    expect(total).toMatchObject({ captured: 101, dropped: { 'encoder-busy': 1 }, inFlight: 0 });
  });

  it('forgets old durations', () => {
    const { telemetry } = setUp();
    telemetry.encoded('a', 1_000_000, 10);
    for (let index = 0; index < 256; index++) telemetry.encoded('a', 1000, 10);
    expect(telemetry.snapshot().cameras[0]).toMatchObject({ encodeMsP95: 1, encoded: 257 });
  });

  it('logs one line for the agent every interval', async () => {
    const { books, telemetry } = setUp();
    const clock = new ManualClock();
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const stop = logTelemetry(
      telemetry,
      clock,
      createLogger({ level: 'info', format: 'json', write }),
    );
    books[0]?.captured({ cameraId: 'a', epoch: 1000, sequence: 0 }, 1).drop(0, 'encoder-busy');
    await clock.advance(LIMITS.telemetryIntervalMs * 2);
    stop();
    await clock.advance(LIMITS.telemetryIntervalMs);
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      event: 'agent-figures',
      cameras: 2,
      captured: 1,
      'dropped:encoder-busy': 1,
      backlogBytes: 77,
    });
  });
});
