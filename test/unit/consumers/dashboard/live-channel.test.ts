import { describe, expect, it } from 'vitest';
import { LiveChannel } from '#consumers/dashboard/live-channel.ts';
import type { ServerMessage } from '#consumers/dashboard/protocol.ts';
import { Telemetry } from '#consumers/dashboard/telemetry.ts';
import { Wall } from '#consumers/dashboard/wall.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { detection } from '../subscriber/results.ts';
import { received } from './received.ts';

class FakePage {
  bufferedAmount = 0;
  isReading = true;
  readonly messages: ServerMessage[] = [];

  send(text: string): void {
    if (!this.isReading) this.bufferedAmount += text.length;
    this.messages.push(JSON.parse(text));
  }

  of<T extends ServerMessage['type']>(type: T) {
    return this.messages.filter(
      (message): message is Extract<ServerMessage, { type: T }> => message.type === type,
    );
  }
}

function openChannel() {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const nowMs = () => clock.nowUs() / 1000;
  const wall = new Wall(telemetry, nowMs());
  const channel = new LiveChannel({
    ...{ state: wall.state, clock, telemetry },
    summarise: () => wall.fleet(nowMs()),
    greeting: { version: '1.2.3', prefix: 'site', heads: ['detection'] },
  });
  channel.start();
  let sequence = 0;
  const result = (cameraId = 'gate', masses = 1) => {
    const found = new Array(masses).fill(['person', 0.5] as const);
    const made = { ...detection(found), cameraId, sequence: sequence++ };
    wall.result(made, received(made, 100, true), nowMs());
  };
  return { clock, telemetry, wall, channel, result };
}

describe('LiveChannel', () => {
  it('greets a page, tells it the fleet and all rows, then what is new', async () => {
    const { clock, channel, result } = openChannel();
    result('gate');
    result('yard');
    await clock.advance(LIMITS.wallTellIntervalMs);
    const page = new FakePage();
    channel.open(page);
    const hello = { type: 'hello', version: '1.2.3', prefix: 'site', heads: ['detection'] };
    expect(page.messages[0]).toMatchObject({ ...hello, watchedMax: LIMITS.wallWatchedMax });
    expect(page.of('fleet')).toHaveLength(1);
    expect(page.of('cameras')[0]?.cameras.map(({ cameraId }) => cameraId)).toEqual([
      ...['gate', 'yard'],
    ]);
    await clock.advance(3 * LIMITS.wallTellIntervalMs);
    expect(page.of('fleet')).toHaveLength(4);
  });

  it('sends the newest watched results four times a second, and counts the others', async () => {
    const { clock, channel, result, telemetry } = openChannel();
    result();
    const page = new FakePage();
    const live = channel.open(page);
    channel.receive(live, JSON.stringify({ type: 'watch', cameraIds: ['gate'] }));
    for (let ms = 0; ms < 1_000; ms += 50) {
      result();
      await clock.advance(50);
    }
    const sent = page.of('results').flatMap(({ cameras }) => cameras);
    expect(sent).toHaveLength(4);
    expect(sent.at(-1)).toMatchObject({ cameraId: 'gate', traced: true, ageMs: 100 });
    expect(telemetry.total('results-sent')).toBe(4);
    // Of the first that it was sent, those before are none of its own.
    expect(telemetry.total('results-passed-over')).toBe(12);
  });

  it('keeps nothing for a page that does not read, and then sends it the newest', async () => {
    const { clock, channel, result, telemetry } = openChannel();
    result();
    const page = new FakePage();
    const live = channel.open(page);
    channel.receive(live, JSON.stringify({ type: 'watch', cameraIds: ['gate'] }));
    page.isReading = false;
    const most = () => Math.max(...page.messages.map((message) => JSON.stringify(message).length));
    for (let tick = 0; tick < 400; tick++) {
      result('gate', 500);
      await clock.advance(LIMITS.wallResultsIntervalMs);
    }
    expect(page.bufferedAmount).toBeLessThan(LIMITS.wallUnsentBytesMax + 3 * most());
    expect(telemetry.total('ticks-skipped')).toBeGreaterThan(100);
    page.isReading = true;
    page.bufferedAmount = 0;
    page.messages.length = 0;
    await clock.advance(LIMITS.wallResultsIntervalMs);
    const [newest] = page.of('results').flatMap(({ cameras }) => cameras);
    expect(newest?.frameId).toMatch(/-400$/);
    expect(page.of('results')).toHaveLength(1);
  });

  it('answers what it cannot follow, and goes on', async () => {
    const { clock, channel, result } = openChannel();
    result();
    const page = new FakePage();
    const live = channel.open(page);
    channel.receive(live, '{');
    const cameraIds = ['nowhere', 'gate', 'elsewhere'];
    channel.receive(live, JSON.stringify({ type: 'watch', cameraIds }));
    expect(page.of('refused').map(({ error }) => error.code)).toEqual([
      ...['message-invalid', 'camera-unknown'],
    ]);
    expect(page.of('refused')[1]?.error.message).toBe('nowhere and 1 more are not known here.');
    await clock.advance(LIMITS.wallResultsIntervalMs);
    expect(page.of('results')).toHaveLength(1);
  });

  it('tells a closed page nothing, and leaves no timer behind', async () => {
    const { clock, channel } = openChannel();
    const page = new FakePage();
    const live = channel.open(page);
    channel.close(live);
    const count = page.messages.length;
    await clock.advance(5_000);
    expect(page.messages).toHaveLength(count);
    channel.stop();
    expect(clock.timerCount).toBe(0);
  });
});
