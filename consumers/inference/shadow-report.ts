import type { Broker, Producer } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Framing } from '#schemas/framing.ts';
import {
  encodeHeadShadow,
  figuresOf,
  type HeadShadow,
  headShadowKey,
} from '#schemas/head-shadow.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { ShadowBook } from './shadow-book.ts';

export interface ShadowReportOptions {
  readonly book: Pick<ShadowBook, 'untold' | 'told'>;
  readonly broker: Pick<Broker, 'openProducer'>;
  readonly topics: TopicTable;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Tells every few seconds, and at the end, how shadows compare. Figures are totals, so a record
 * that is lost costs nothing, and a broker that is away is asked again.
 */
export async function runShadowReport(
  options: ShadowReportOptions,
  stopping: AbortSignal,
): Promise<void> {
  const { clock } = options;
  let producer: Producer | undefined;
  const tell = async () => {
    const figures = options.book.untold();
    if (figures.length === 0) return;
    try {
      producer ??= await options.broker.openProducer();
      await publish(producer, figures, options);
    } catch (error) {
      options.logger.warn('shadow-report-failed', { error: describeError(error) });
    }
  };
  while (!stopping.aborted) {
    await clock.sleep(LIMITS.shadowReportIntervalMs, stopping);
    await tell();
  }
  await producer?.close();
}

async function publish(
  producer: Producer,
  figures: readonly HeadShadow[],
  { book, topics, framing, logger }: ShadowReportOptions,
): Promise<void> {
  const topic = topics.headShadows.name;
  await producer.send(
    figures.map((one) => ({
      topic,
      key: headShadowKey(one),
      value: encodeHeadShadow(one, framing),
      headers: {},
    })),
  );
  book.told(figures);
  for (const one of figures) {
    const { task, liveVersion, shadowVersion, frames, leftOut, failed } = one;
    const counts = { task, live: liveVersion, shadow: shadowVersion, frames, leftOut, failed };
    logger.info('head-shadow', { ...counts, ...rounded(figuresOf(one)) });
  }
}

function rounded(figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, figure]) => [
      name.replaceAll(' ', '-'),
      Math.round(figure * 1000) / 1000,
    ]),
  );
}
