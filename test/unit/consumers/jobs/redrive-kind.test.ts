import { expect, it } from 'vitest';
import { readBook } from '#consumers/dead-letters/read-letters.ts';
import type { JobContext } from '#consumers/jobs/kind.ts';
import { readOrder } from '#consumers/jobs/order-fields.ts';
import { REDRIVE } from '#consumers/jobs/redrive-kind.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer } from '#runtime/trace.ts';
import { type DeadLetter, encodeDeadLetter } from '#schemas/dead-letter.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { DEAD_LETTER } from '#test/unit/schemas/samples.ts';
import { storedFrames } from './stored-frames.ts';

const FRAMING = singleObjectFraming();

/** Dead letters on a cluster in memory, and jobs that redrive them in virtual time. */
async function setUp() {
  const { time, cluster, topics, committed } = await storedFrames();
  const broker = connectTo(cluster, new Host('worker', time), seededRandom(7));
  const write = async (letters: readonly Partial<DeadLetter>[]) => {
    const topic = topics.deadLetters.name;
    // As consumers do, in a transaction; acquiring waits until it is shown to readers.
    const transactor = await broker.openTransactor({ groupId: 'test', topic, partition: 0 });
    await transactor.acquire();
    const records = letters.map((changes) => {
      const letter = {
        ...{ ...DEAD_LETTER, originTopic: topics.frames.name, redrives: 0 },
        ...{ failedTimeUs: time.nowUs(), ...changes },
      };
      const value = encodeDeadLetter(letter, FRAMING);
      return { topic, key: letter.cameraId ?? '', value, headers: {} };
    });
    await transactor.commit(records, 0);
    await transactor.acquire();
    await transactor.close();
  };
  const run = (order: Readonly<Record<string, unknown>>, changes: Partial<JobContext> = {}) => {
    const context: JobContext = {
      ...{ id: 'mend', addedMs: time.nowUs() / 1000, topics, broker, clock: time },
      ...{ environment: readEnvironment({}), logger: silentLogger, tracer: noTracer },
      ...{ stopping: new AbortController().signal, progress: () => undefined },
      mayRun: async () => true,
      throttled: () => undefined,
      ...changes,
    };
    const outcome = REDRIVE.run(readOrder(REDRIVE, order, context.addedMs), context);
    // A transaction is shown to readers a moment after its commit.
    return time.drive(outcome.finally(() => time.sleep(5_000)));
  };
  const stopping = new AbortController().signal;
  const book = () =>
    time.drive(readBook({ broker, framing: FRAMING, topics, clock: time, stopping }));
  const redriven = () => committed(topics.frames.name).map(({ key }) => key);
  return { time, write, run, book, redriven };
}

it('puts back what the filters name, and counts over all its runs', async () => {
  const { time, write, run, book, redriven } = await setUp();
  await time.drive(
    write([
      { cameraId: 'gate', originKey: Buffer.from('gate') },
      { cameraId: 'gate', originKey: Buffer.from('gate'), reason: 'record-too-large' },
      { cameraId: 'gate', originValue: null },
      { cameraId: 'yard', originKey: Buffer.from('yard') },
    ]),
  );
  const figures = { redriven: 1, dealtWithByOthers: 0, cannotBeRedriven: 1 };
  const order = { camera: 'gate', reason: 'record-truncated', note: 'new bundle' };
  expect(await run(order)).toEqual({
    text: '1 redriven, 0 dealt with by others, 1 cannot be',
    figures,
  });
  expect(redriven()).toEqual(['gate']);
  // Run again, after a kill say.
  expect(await run(order)).toMatchObject({ figures });
  expect(await run({ all: true }, { id: 'rest' })).toMatchObject({
    figures: { redriven: 2, dealtWithByOthers: 1, cannotBeRedriven: 1 },
  });
  expect(redriven().sort()).toEqual(['gate', 'gate', 'yard']);
  const actions = (await book()).matching({}).map((letter) => letter.redrives);
  expect(actions).toHaveLength(4);
});

it('leaves letters alone that came after it was added', async () => {
  const { time, write, run, redriven } = await setUp();
  await time.drive(write([{ cameraId: 'gate', originKey: Buffer.from('gate') }]));
  const addedMs = time.nowUs() / 1000;
  await time.drive(time.sleep(1_000));
  await time.drive(write([{ cameraId: 'yard', originKey: Buffer.from('yard') }]));
  expect(await run({ all: true }, { addedMs })).toMatchObject({ figures: { redriven: 1 } });
  expect(redriven()).toEqual(['gate']);
});

it('lets go when it is asked to', async () => {
  const { time, write, run, redriven } = await setUp();
  await time.drive(write([{ cameraId: 'gate', originKey: Buffer.from('gate') }]));
  expect(await run({ all: true }, { stopping: AbortSignal.abort('paused') })).toBe('stopped');
  expect(redriven()).toEqual([]);
});
