import { expect, it } from 'vitest';
import { Watcher } from '#infra/start/watcher.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { encodeDeadLetter } from '#schemas/dead-letter.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { storedResults } from '#test/unit/consumers/export/stored-results.ts';
import { DEAD_LETTER } from '#test/unit/schemas/samples.ts';

const FRAMING = singleObjectFraming();

it('waits for the answer to a frame that came while it was held up', async () => {
  const { broker, topics, host, clock, connect, drive } = storedResults();
  const watcher = new Watcher({
    ...{ broker, topics, framing: FRAMING, clock },
    ...{ cameraIds: ['gate'], heads: ['detection'] },
    onTrouble: () => undefined,
    onFailed: (error) => {
      throw error;
    },
  });
  await drive(watcher.start());
  const epoch = Math.ceil(clock.nowUs() / 1000);
  const producer = await drive(connect('camera').openProducer());
  const frame = (sequence: number): OutgoingRecord => ({
    ...{ topic: topics.frames.name, key: 'gate', value: Buffer.from('no frame') },
    headers: { 'frame-id': `gate-${epoch}-${sequence}` },
  });
  const answer = (sequence: number): OutgoingRecord => ({
    ...{ topic: topics.deadLetters.name, key: 'gate', headers: {} },
    value: encodeDeadLetter(
      {
        ...{ ...DEAD_LETTER, cameraId: 'gate', redrives: 0 },
        frameId: `gate-${epoch}-${sequence}`,
        originTopic: topics.frames.name,
      },
      FRAMING,
    ),
  });
  const caughtUp = () => watcher.caughtUp({ closed: false, onWait: () => undefined });

  await drive(producer.send([frame(0), answer(0)]));
  await drive(caughtUp());
  host.freeze();
  await drive(producer.send([frame(1)]));
  host.thaw();
  let isOver = false;
  const end = caughtUp().then(() => {
    isOver = true;
  });
  await drive(clock.sleep(2_000));
  expect(isOver).toBe(false);
  await drive(producer.send([answer(1)]));
  await drive(end);
  expect(watcher.report()).toMatchObject({ waiting: 0, epochs: [{ cameraId: 'gate' }] });
  await drive(watcher.stop());
});
