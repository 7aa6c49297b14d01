import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runExport } from '#consumers/export/export.ts';
import { checkOrder, type GivenOrder } from '#consumers/export/order.ts';
import { allSpecs } from '#infra/topics/create.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { seededRandom } from '#runtime/random.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult, type Result } from '#schemas/result.ts';
import { backfillTopics, topicTable } from '#schemas/topics.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

const FRAMING = singleObjectFraming();
const STEP_MS = 50;

/** A cluster in memory with results on it, and exports of them into a folder of this call's own. */
export function storedResults(seed = 1) {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-export-'));
  const random = seededRandom(seed);
  const time = new VirtualClock();
  const cluster = new Cluster(time, random.fork('cluster'));
  const topics = topicTable({ prefix: 'shop', partitionCount: 3 });
  for (const spec of allSpecs(topics)) cluster.ensureTopic(spec);
  const host = new Host('host', time);
  const broker = connectTo(cluster, host, random.fork('broker'));

  const record = (result: Result, backfill?: string): OutgoingRecord => {
    const table = backfill === undefined ? topics : backfillTopics(topics);
    return {
      topic: table.results[result.task].name,
      key: result.cameraId,
      value: encodeResult(result, FRAMING),
      headers: backfill === undefined ? {} : { backfill },
    };
  };
  /** Files are real, and so is the time that they take: the clock must not run away meanwhile. */
  const drive = async <T>(work: Promise<T>): Promise<T> => {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    work.then(settled, settled);
    while (!isSettled) {
      await time.run(time.monotonicMs() + STEP_MS, () => isSettled);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return work;
  };
  return {
    ...{ cluster, topics, broker, host, folder, record, drive, clock: host.clock },
    /** As another process has it. */
    connect: (name: string) => connectTo(cluster, new Host(name, time), random.fork(name)),
    /** In one transaction, as consumers do. */
    async write(records: readonly OutgoingRecord[], isCommitted = true): Promise<void> {
      const place = { groupId: 'brain', topic: topics.frames.name, partition: 0 };
      const transactor = await broker.openTransactor(place);
      const position = (await transactor.acquire()) ?? 0;
      if (isCommitted) await transactor.commit(records, position + 1);
      await transactor.acquire();
      await transactor.close();
    },
    export(
      order: Partial<GivenOrder> & Pick<GivenOrder, 'format'>,
      stopping = new AbortController().signal,
    ) {
      return runExport({
        order: checkOrder({
          ...{ topic: 'detection', output: join(folder, 'out'), backfill: undefined },
          ...{ cameras: undefined, sinceMs: undefined, untilMs: undefined },
          ...order,
        }),
        ...{ broker, topics, framing: FRAMING, clock: host.clock, stopping },
      });
    },
  };
}
