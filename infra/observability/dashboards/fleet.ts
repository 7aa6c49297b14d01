import type { Board, Chart } from './dashboard.ts';
import { processSection } from './process-section.ts';
import { largest, percentiles, quantile, rate, share } from './queries.ts';

const NUMBERS: readonly Chart[] = [
  {
    title: 'Cameras online',
    about: 'Of all agents.',
    unit: 'short',
    kind: 'number',
    queries: { online: 'sum(halfsight_agent_cameras{state="online"})' },
  },
  {
    title: 'Cameras not online',
    about: 'Connecting, offline, or ended.',
    unit: 'short',
    kind: 'number',
    queries: { 'not online': 'sum(halfsight_agent_cameras{state!="online"})' },
  },
  {
    title: 'Frames a second',
    about: 'Published.',
    unit: 'short',
    kind: 'number',
    queries: { published: rate('halfsight_agent_frames_published_total') },
  },
  {
    title: 'Age at the result, p95',
    about: 'From the capture of a frame to the commit of its results.',
    unit: 's',
    kind: 'number',
    queries: { p95: quantile(0.95, { name: 'halfsight_inference_frame_age_seconds' }) },
  },
  {
    title: 'Lag',
    about: 'Age of the oldest frame that has no result yet.',
    unit: 's',
    kind: 'number',
    queries: { lag: 'max(halfsight_inference_lag_seconds)' },
  },
  {
    title: 'Alerts',
    about: 'That are firing now; what to do about each is in its annotation.',
    unit: 'short',
    kind: 'number',
    queries: { firing: 'count(ALERTS{alertstate="firing",alertname=~"Halfsight.*"})' },
  },
];

/** All processes of an installation. */
export const FLEET_BOARD: Board = {
  name: 'fleet',
  title: 'Halfsight: fleet',
  about: 'All processes of an installation at a glance.',
  sections: [
    { title: 'Now', charts: NUMBERS },
    {
      title: 'From camera to result',
      charts: [
        {
          title: 'Cameras by state',
          about: 'Of all agents.',
          unit: 'short',
          kind: 'areas',
          queries: { '{{state}}': 'sum by (state) (halfsight_agent_cameras)' },
        },
        {
          title: 'Frames a second',
          about: 'Published by agents, and committed by consumers: apart, they fall behind.',
          unit: 'cps',
          queries: {
            published: rate('halfsight_agent_frames_published_total'),
            committed: rate('halfsight_inference_frames_committed_total'),
          },
        },
        {
          title: 'Drops by reason',
          about: 'Frames that agents leave out.',
          unit: 'cps',
          kind: 'areas',
          queries: { '{{reason}}': rate('halfsight_agent_frames_dropped_total', ['reason']) },
        },
        {
          title: 'Results a second',
          about: 'By head; shed ones were left out under overload.',
          unit: 'cps',
          kind: 'areas',
          queries: {
            '{{task}} {{status}}': rate('halfsight_inference_results_total', ['task', 'status']),
          },
        },
        {
          title: 'Age of a frame at its result',
          about: 'From the capture to the commit. Its exemplars are traces.',
          unit: 's',
          exemplars: true,
          queries: percentiles({ name: 'halfsight_inference_frame_age_seconds' }),
        },
        {
          title: 'Lag in seconds',
          about: 'Age of the oldest frame of a partition that has no result yet.',
          unit: 's',
          queries: {
            'partition {{partition}}': largest('halfsight_inference_lag_seconds', ['partition']),
          },
        },
        {
          title: 'Bytes a second',
          about: 'That agents have published.',
          unit: 'Bps',
          kind: 'areas',
          queries: { '{{instance}}': rate('halfsight_agent_published_bytes_total', ['instance']) },
        },
        {
          title: 'How full the spools are',
          about: 'Frames of an outage wait on the disks of agents.',
          unit: 'percentunit',
          queries: {
            '{{instance}}': share(
              'halfsight_agent_queue_bytes{queue="spool"}',
              'halfsight_agent_queue_max_bytes{queue="spool"}',
            ),
          },
        },
        {
          title: 'Dead letters a second',
          about: 'Records that cannot be analysed, by what was wrong.',
          unit: 'cps',
          queries: { '{{code}}': rate('halfsight_inference_dead_letters_total', ['code']) },
        },
      ],
    },
    {
      title: 'Bridges',
      charts: [
        {
          title: 'Lag of bridges',
          about: 'Age of the oldest result that is not in the topic of others yet.',
          unit: 's',
          queries: {
            '{{task}} to {{to}}': largest('halfsight_bridge_lag_seconds', ['task', 'to']),
          },
        },
        {
          title: 'Frames written a second',
          about: 'In the format of others, by the topic that they are for.',
          unit: 'cps',
          queries: {
            '{{task}} to {{to}}': rate('halfsight_bridge_frames_written_total', ['task', 'to']),
          },
        },
        {
          title: 'Results left out a second',
          about: 'Of which no frame is written. shed, unwanted: the head did not run.',
          unit: 'cps',
          kind: 'areas',
          queries: {
            '{{reason}} to {{to}}': rate('halfsight_bridge_dropped_total', ['reason', 'to']),
          },
        },
        {
          title: 'Age of a frame when it is written, p95',
          about: 'From the capture until it is in the topic of others. Its exemplars are traces.',
          unit: 's',
          exemplars: true,
          queries: {
            '{{task}} to {{to}}': quantile(0.95, { name: 'halfsight_bridge_frame_age_seconds' }, [
              ...['task', 'to'],
            ]),
          },
        },
        {
          title: 'A transaction of a bridge, p95',
          about: 'Frames, and the position behind their results.',
          unit: 's',
          queries: {
            '{{task}} to {{to}}': quantile(0.95, { name: 'halfsight_bridge_transaction_seconds' }, [
              ...['task', 'to'],
            ]),
          },
        },
        {
          title: 'Transactions of bridges that failed',
          about: 'A second; what they held is written again unless it was committed.',
          unit: 'cps',
          queries: {
            '{{task}} to {{to}}': rate('halfsight_bridge_transactions_failed_total', [
              ...['task', 'to'],
            ]),
          },
        },
      ],
    },
    {
      title: 'Webhooks, jobs, control',
      charts: [
        {
          title: 'Events that wait',
          about: 'By hook, in Redis. A full queue leaves the rest on its topic.',
          unit: 'short',
          queries: { '{{hook}}': largest('halfsight_webhooks_queue_length', ['hook']) },
        },
        {
          title: 'Events delivered a second',
          about: 'And attempts that failed.',
          unit: 'cps',
          queries: {
            '{{hook}}': rate('halfsight_webhooks_queue_out_total', ['hook']),
            '{{hook}} failed': rate('halfsight_webhooks_attempts_failed_total', ['hook']),
          },
        },
        {
          title: 'A delivery, p95',
          about: 'From the request to the answer.',
          unit: 's',
          exemplars: true,
          queries: {
            '{{hook}}': quantile(0.95, { name: 'halfsight_webhooks_delivery_seconds' }, ['hook']),
          },
        },
        {
          title: 'Jobs',
          about: 'By where they are; done and failed ones are kept for a while.',
          unit: 'short',
          kind: 'areas',
          queries: { '{{state}}': largest('halfsight_jobs_queue_length', ['state']) },
        },
        {
          title: 'Runs of jobs that ended',
          about: 'In the last hour, by kind and by what came of them.',
          unit: 'short',
          queries: {
            '{{kind}} {{outcome}}':
              'sum by (kind, outcome) (increase(halfsight_jobs_runs_total[1h])) > 0',
          },
        },
        {
          title: 'Held back',
          about: 'Share of the time in which backfills make way, or keep to their rate.',
          unit: 'percentunit',
          queries: {
            '{{reason}} {{instance}}': rate('halfsight_jobs_throttled_seconds_total', [
              ...['reason', 'instance'],
            ]),
          },
        },
        {
          title: 'Requests of the control API',
          about: 'By the status of the answer.',
          unit: 'cps',
          kind: 'areas',
          queries: { '{{status}}': rate('halfsight_control_requests_total', ['status']) },
        },
        {
          title: 'A request, p95',
          about: 'From the request to the answer.',
          unit: 's',
          exemplars: true,
          queries: { p95: quantile(0.95, { name: 'halfsight_control_request_seconds' }) },
        },
        {
          title: 'Redis',
          about: '1 while it answers those who need it.',
          unit: 'short',
          queries: {
            webhooks: 'min(halfsight_webhooks_redis_up)',
            jobs: 'min(halfsight_jobs_redis_up)',
            control: 'min(halfsight_control_redis_up)',
          },
        },
      ],
    },
    processSection('job=~"halfsight.*"'),
  ],
};
