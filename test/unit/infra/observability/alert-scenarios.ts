/**
 * A fault and its repair, as the series that processes would tell. They are written as promtool has
 * it: START+STEPxTIMES, a sample every ten seconds; `_xN` is N without one, `stale` an end.
 */
export interface AlertScenario {
  readonly alert: string;
  readonly series: Readonly<Record<string, string>>;
  /** When it does not fire yet, or not for this. */
  readonly quietAt: string;
  readonly firesAt: string;
  /** Of the alert, beside its severity. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly overAt: string;
}

const AGENT = 'job="halfsight-agent",instance="a:1"';
const CONSUMER = 'job="halfsight-inference",instance="c:1"';
const AT_AGENT = { job: 'halfsight-agent', instance: 'a:1' };
const AT_CONSUMER = { job: 'halfsight-inference', instance: 'c:1' };

const PROCESSES: readonly AlertScenario[] = [
  {
    alert: 'HalfsightProcessDown',
    series: {
      [`up{${AGENT}}`]: '1x5 0x12 1x20',
      'up{job="somebody-else",instance="b:1"}': '0x60',
    },
    ...{ quietAt: '100s', firesAt: '130s', overAt: '200s' },
    labels: AT_AGENT,
    summary: 'halfsight-agent at a:1 does not answer.',
  },
  {
    alert: 'HalfsightRedisAway',
    series: {
      'halfsight_jobs_redis_up{job="halfsight-jobs",instance="j:1"}': '1x5 0x12 1x20',
      'halfsight_control_redis_up{job="halfsight-control",instance="k:1"}': '1x60',
    },
    ...{ quietAt: '100s', firesAt: '130s', overAt: '200s' },
    labels: { job: 'halfsight-jobs', instance: 'j:1' },
    summary: 'Redis does not answer halfsight-jobs at j:1.',
  },
];

const CAMERAS: readonly AlertScenario[] = [
  {
    alert: 'HalfsightCamerasOffline',
    series: {
      [`halfsight_agent_cameras{${AGENT},state="offline"}`]: '0x5 2x20 0x20',
      [`halfsight_agent_cameras{${AGENT},state="online"}`]: '5x5 3x20 5x20',
    },
    ...{ quietAt: '150s', firesAt: '200s', overAt: '300s' },
    labels: AT_AGENT,
    summary: '2 cameras of a:1 are offline.',
  },
  {
    alert: 'HalfsightCameraSilent',
    series: {
      [`halfsight_agent_camera_last_frame_age_seconds{${AGENT},camera_id="gate"}`]:
        '0x5 0+10x30 0x20',
      [`halfsight_agent_camera_last_frame_age_seconds{${AGENT},camera_id="yard"}`]: '0x60',
    },
    ...{ quietAt: '220s', firesAt: '250s', overAt: '400s' },
    labels: { ...AT_AGENT, camera_id: 'gate' },
    summary: 'gate of a:1 has given no frame for 3m 10s.',
  },
  {
    alert: 'HalfsightAgentCapturesNothing',
    series: {
      [`halfsight_agent_frames_captured_total{${AGENT}}`]: '0+50x12 600x30 600+50x30',
      [`halfsight_agent_cameras{${AGENT},state="online"}`]: '0x80',
      [`halfsight_agent_cameras{${AGENT},state="connecting"}`]: '3x80',
    },
    ...{ quietAt: '250s', firesAt: '330s', overAt: '480s' },
    labels: AT_AGENT,
    summary: 'a:1 captures no frame of any of its cameras.',
  },
  {
    alert: 'HalfsightAgentPublishesNothing',
    series: {
      [`halfsight_agent_frames_captured_total{${AGENT}}`]: '0+50x80',
      [`halfsight_agent_frames_published_total{${AGENT}}`]: '0+50x12 600x18 600+50x30',
    },
    ...{ quietAt: '200s', firesAt: '260s', overAt: '360s' },
    labels: AT_AGENT,
    summary: 'Nothing that a:1 captures reaches the broker.',
  },
  {
    alert: 'HalfsightDrops',
    series: {
      [`halfsight_agent_frames_captured_total{${AGENT}}`]: '0+50x180',
      // One in ten is too many, one in fifty is not; what rate control leaves out is meant.
      [`halfsight_agent_frames_dropped_total{${AGENT},reason="encoder-busy"}`]:
        '0x10 0+5x90 450x80',
      [`halfsight_agent_frames_dropped_total{${AGENT},reason="encode-failed"}`]: '0+1x180',
      [`halfsight_agent_frames_dropped_total{${AGENT},reason="rate-limited"}`]: '0+20x180',
    },
    ...{ quietAt: '5m', firesAt: '15m', overAt: '25m' },
    labels: { ...AT_AGENT, reason: 'encoder-busy' },
    summary: 'a:1 drops 0.5 frames a second: encoder-busy.',
  },
  {
    alert: 'HalfsightSpoolFilling',
    series: {
      [`halfsight_agent_queue_bytes{${AGENT},queue="spool"}`]: '0+100x20 2000-200x10 0x20',
      [`halfsight_agent_queue_max_bytes{${AGENT},queue="spool"}`]: '1000x60',
      [`halfsight_agent_queue_bytes{${AGENT},queue="backlog"}`]: '1000x60',
      [`halfsight_agent_queue_max_bytes{${AGENT},queue="backlog"}`]: '1000x60',
    },
    ...{ quietAt: '100s', firesAt: '130s', overAt: '320s' },
    labels: { ...AT_AGENT, queue: 'spool' },
    summary: 'More than half of the spool of a:1 is full; then its oldest frames are dropped.',
  },
  {
    alert: 'HalfsightSeriesOverflow',
    // What the others counted is there for as long as the agent is.
    series: {
      [`halfsight_agent_camera_frames_captured_total{${AGENT},camera_id="other"}`]: '_x5 0+50x180',
      [`halfsight_agent_camera_last_frame_age_seconds{${AGENT},camera_id="gate"}`]: '0x180',
      [`halfsight_agent_camera_last_frame_age_seconds{${AGENT},camera_id="other"}`]:
        '_x5 0x90 stale',
    },
    ...{ quietAt: '10m', firesAt: '12m', overAt: '20m' },
    labels: AT_AGENT,
    summary: 'a:1 runs more cameras than have series of their own.',
  },
];

const INFERENCE: readonly AlertScenario[] = [
  {
    // A consumer that is killed tells nothing any more.
    alert: 'HalfsightConsumersSilent',
    series: {
      [`halfsight_agent_frames_published_total{${AGENT}}`]: '0+50x80',
      [`halfsight_inference_frames_committed_total{${CONSUMER}}`]: '0+50x12 stale _x17 0x1 0+50x30',
    },
    ...{ quietAt: '120s', firesAt: '250s', overAt: '400s' },
    labels: {},
    summary: 'Agents publish 5.0 frames a second, and no consumer answers.',
  },
  {
    alert: 'HalfsightLag',
    series: {
      [`halfsight_inference_lag_seconds{${CONSUMER},partition="3"}`]: '0x5 31+10x20 0x20',
      [`halfsight_inference_lag_seconds{${CONSUMER},partition="4"}`]: '12x60',
    },
    ...{ quietAt: '170s', firesAt: '190s', overAt: '300s' },
    labels: { job: 'halfsight-inference', partition: '3' },
    summary: 'The oldest frame of partition 3 has waited for 2m 41s.',
  },
  {
    // The first one, which a process that counts from nothing must not hide.
    alert: 'HalfsightDeadLetters',
    series: {
      [`halfsight_inference_dead_letters_total{${CONSUMER},code="record-empty"}`]: '0x30 1x100',
      [`halfsight_inference_dead_letters_total{${CONSUMER},code="bitstream-invalid"}`]: '0x130',
    },
    ...{ quietAt: '300s', firesAt: '330s', overAt: '20m' },
    labels: { code: 'record-empty' },
    summary: '1 frames became dead letters in ten minutes: record-empty.',
  },
  {
    alert: 'HalfsightEngineRestarts',
    series: {
      [`halfsight_inference_engine_restarts_total{${CONSUMER}}`]: '0x90 1x2 2x200',
    },
    ...{ quietAt: '915s', firesAt: '1000s', overAt: '32m' },
    labels: AT_CONSUMER,
    summary: 'The engine of c:1 ended 2 times in a quarter of an hour.',
  },
];

const hook = (name: string, labels = '') =>
  `halfsight_webhooks_${name}{job="halfsight-webhooks",instance="w:1",hook="shop"${labels}}`;
const jobs = (name: string, labels = '') =>
  `halfsight_jobs_${name}{job="halfsight-jobs",instance="j:1"${labels}}`;
const runs = (kind: string, outcome: string) =>
  jobs('runs_total', `,kind="${kind}",outcome="${outcome}"`);

const METROPOLIS = { task: 'detection', format: 'nv-frame', to: 'mdx-raw' };
const ONVIF = { task: 'detection', format: 'onvif', to: 'site.onvif' };
const bridge = (name: string, { task, format, to }: typeof METROPOLIS, labels = '') =>
  `halfsight_bridge_${name}{job="halfsight-bridge",instance="b:1",` +
  `task="${task}",format="${format}",to="${to}"${labels}}`;

const DELIVERY: readonly AlertScenario[] = [
  {
    alert: 'HalfsightWebhookParked',
    series: {
      [hook('hook_state', ',state="parked"')]: '0x5 1x20 0x20',
      [hook('hook_state', ',state="active"')]: '1x5 0x20 1x20',
    },
    ...{ quietAt: '40s', firesAt: '80s', overAt: '300s' },
    labels: { hook: 'shop' },
    summary: 'Nothing is sent to shop any more: it has failed for too long.',
  },
  {
    alert: 'HalfsightWebhookFailing',
    series: {
      [hook('failing_seconds')]: '0+10x40 0x20',
    },
    ...{ quietAt: '290s', firesAt: '330s', overAt: '450s' },
    labels: { hook: 'shop' },
    summary: 'shop has accepted nothing for 5m 30s.',
  },
  {
    alert: 'HalfsightResultsNotSent',
    series: {
      [hook('dropped_total', ',reason="refused"')]: '0x30 4x100',
    },
    ...{ quietAt: '300s', firesAt: '400s', overAt: '20m' },
    labels: { hook: 'shop', reason: 'refused' },
    summary: '4 results were not sent to shop: refused.',
  },
  {
    alert: 'HalfsightBridgeBehind',
    series: {
      [bridge('lag_seconds', METROPOLIS, ',partition="0"')]: '0x5 61+10x20 0x20',
      [bridge('lag_seconds', METROPOLIS, ',partition="1"')]: '2x60',
      [bridge('lag_seconds', ONVIF, ',partition="0"')]: '30x60',
    },
    ...{ quietAt: '170s', firesAt: '190s', overAt: '300s' },
    labels: METROPOLIS,
    summary: 'The oldest detection result that is not in mdx-raw yet has waited for 3m 11s.',
  },
  {
    // Of two that share the work, one may have none; of heads that do not run there is none.
    alert: 'HalfsightBridgeSilent',
    series: {
      [`halfsight_inference_results_total{${CONSUMER},task="detection",status="ok"}`]: '0+50x80',
      [`halfsight_inference_results_total{${CONSUMER},task="segmentation",status="ok"}`]: '0x80',
      [bridge('results_read_total', METROPOLIS)]: '0+50x12 600x30 600+50x30',
      [bridge('results_read_total', ONVIF)]: '0x80',
      [bridge('results_read_total', ONVIF).replace('b:1', 'b:2')]: '0+50x80',
      [bridge('results_read_total', { ...ONVIF, task: 'segmentation' })]: '0x80',
    },
    ...{ quietAt: '250s', firesAt: '330s', overAt: '480s' },
    labels: METROPOLIS,
    summary: 'detection results come, and the bridge to mdx-raw writes none of them.',
  },
  {
    alert: 'HalfsightResultsNotBridged',
    series: {
      [bridge('dropped_total', METROPOLIS, ',reason="deleted-unread"')]: '0x30 4x100',
      [bridge('dropped_total', METROPOLIS, ',reason="shed"')]: '0+3x130',
      [bridge('dropped_total', ONVIF, ',reason="unwanted"')]: '0+3x130',
    },
    ...{ quietAt: '300s', firesAt: '400s', overAt: '20m' },
    labels: { ...METROPOLIS, reason: 'deleted-unread' },
    summary: '4 detection results are left out of mdx-raw: deleted-unread.',
  },
  {
    alert: 'HalfsightJobsFailing',
    series: {
      [runs('backfill', 'failed')]: '0x30 1x300',
      [runs('backfill', 'retrying')]: '0x30 7x300',
      [runs('export', 'done')]: '0+1x330',
    },
    ...{ quietAt: '300s', firesAt: '400s', overAt: '45m' },
    labels: { kind: 'backfill' },
    summary: '1 jobs failed in half an hour: backfill.',
  },
  {
    alert: 'HalfsightJobsWait',
    series: {
      [jobs('queue_length', ',state="waiting"')]: '0x5 2x60 0x20',
      [jobs('running', ',kind="backfill"')]: '1x5 0x60 1x20',
    },
    ...{ quietAt: '300s', firesAt: '400s', overAt: '700s' },
    labels: {},
    summary: '2 jobs wait, and no worker runs any.',
  },
  {
    alert: 'HalfsightJobsStalled',
    series: { [jobs('stalled_total')]: '0x30 1x3 2x3 3x300' },
    ...{ quietAt: '375s', firesAt: '420s', overAt: '45m' },
    labels: {},
    summary: '3 times a worker of jobs died, or lost Redis, in half an hour.',
  },
];

export const SCENARIOS = [...PROCESSES, ...CAMERAS, ...INFERENCE, ...DELIVERY];
