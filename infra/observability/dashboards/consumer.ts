import type { Board } from './dashboard.ts';
import { processSection } from './process-section.ts';
import { CHOSEN, chosen, largest, mean, percentiles, quantile, rate, share } from './queries.ts';

/** From the broker to results. */
export const CONSUMER_BOARD: Board = {
  name: 'consumer',
  title: 'Halfsight: inference consumers',
  about: 'From the frame topic to the results of every head: how much, how fast, how far behind.',
  instancesOf: 'inference',
  sections: [
    {
      title: 'Frames and results',
      charts: [
        {
          title: 'Frames a second',
          about:
            'Fetched, and committed: results of all heads and the position, in one transaction.',
          unit: 'cps',
          queries: {
            fetched: rate(chosen('halfsight_inference_frames_fetched_total')),
            committed: rate(chosen('halfsight_inference_frames_committed_total')),
          },
        },
        {
          title: 'Results a second',
          about: 'By head. shed: left out under overload; unwanted: by its camera.',
          unit: 'cps',
          kind: 'areas',
          queries: {
            '{{task}} {{status}}': rate(chosen('halfsight_inference_results_total'), [
              ...['task', 'status'],
            ]),
          },
        },
        {
          title: 'Age of a frame at its result',
          about: 'From the capture to the commit. Its exemplars are traces.',
          unit: 's',
          exemplars: true,
          queries: percentiles({ name: 'halfsight_inference_frame_age_seconds', matching: CHOSEN }),
        },
        {
          title: 'Lag in seconds',
          about: 'Age of the oldest frame of a partition that has no result yet.',
          unit: 's',
          queries: {
            'partition {{partition}}': largest(chosen('halfsight_inference_lag_seconds'), [
              'partition',
            ]),
          },
        },
        {
          title: 'Lag in records',
          about: 'Frames of a partition that have no result yet.',
          unit: 'short',
          kind: 'areas',
          queries: {
            'partition {{partition}}': largest(chosen('halfsight_inference_lag_records'), [
              'partition',
            ]),
          },
        },
        {
          title: 'Dead letters a second',
          about: 'Records that cannot be analysed, by what was wrong.',
          unit: 'cps',
          queries: { '{{code}}': rate(chosen('halfsight_inference_dead_letters_total'), ['code']) },
        },
      ],
    },
    {
      title: 'Batches and the engine',
      charts: [
        {
          title: 'Frames in a batch',
          about: 'As large as the load makes it: one by one while the engine is idle.',
          unit: 'short',
          queries: {
            mean: mean({ name: 'halfsight_inference_batch_frames', matching: CHOSEN }),
          },
        },
        {
          title: 'Why batches were closed',
          about: 'count: full; idle: the engine was free; age: a frame waited; drain: the end.',
          unit: 'cps',
          kind: 'areas',
          queries: { '{{reason}}': rate(chosen('halfsight_inference_batches_total'), ['reason']) },
        },
        {
          title: 'Time of a batch, p95',
          about: 'Decoding, the body, and each head after it.',
          unit: 's',
          exemplars: true,
          queries: {
            decode: quantile(0.95, {
              ...{ name: 'halfsight_inference_decode_seconds', matching: CHOSEN },
            }),
            body: quantile(0.95, {
              ...{ name: 'halfsight_inference_body_seconds', matching: CHOSEN },
            }),
            '{{task}}': quantile(
              0.95,
              { name: 'halfsight_inference_head_seconds', matching: CHOSEN },
              ['task'],
            ),
          },
        },
        {
          title: 'A transaction',
          about: 'From its first record to its commit.',
          unit: 's',
          exemplars: true,
          queries: percentiles({
            ...{ name: 'halfsight_inference_transaction_seconds', matching: CHOSEN },
          }),
        },
        {
          title: 'What went wrong and was done again',
          about: 'Batches run again, transactions that failed, ends of the engine process.',
          unit: 'cps',
          queries: {
            'batches retried': rate(chosen('halfsight_inference_batches_retried_total')),
            'transactions failed': rate(chosen('halfsight_inference_transactions_failed_total')),
            'engine restarts': rate(chosen('halfsight_inference_engine_restarts_total')),
          },
        },
        {
          title: 'Frames compared in shadow',
          about: 'By a new head that runs beside the live one.',
          unit: 'cps',
          queries: {
            '{{outcome}}': rate(chosen('halfsight_inference_frames_shadowed_total'), ['outcome']),
          },
        },
      ],
    },
    {
      title: 'What is held',
      charts: [
        {
          title: 'Bytes in flight',
          about: 'Of their budget: at 1 partitions are paused, and nothing is lost.',
          unit: 'percentunit',
          queries: {
            '{{instance}}': share(
              chosen('halfsight_inference_in_flight_bytes'),
              chosen('halfsight_inference_in_flight_max_bytes'),
            ),
          },
        },
        {
          title: 'Queues',
          about: 'Frames that wait, by where.',
          unit: 'short',
          queries: {
            '{{queue}}': `sum by (queue) (${chosen('halfsight_inference_queue_length')})`,
          },
        },
        {
          title: 'Partitions',
          about: 'Assigned, and those of them that are paused because enough of them is here.',
          unit: 'short',
          queries: {
            'assigned {{instance}}': chosen('halfsight_inference_partitions_assigned'),
            'paused {{instance}}': chosen('halfsight_inference_partitions_paused'),
          },
        },
      ],
    },
    processSection(CHOSEN),
  ],
};
