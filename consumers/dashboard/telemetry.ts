import { byLabel } from '#runtime/metrics/by-label.ts';
import { Metrics, type MetricTables } from '#runtime/metrics/metrics.ts';
import { TASKS } from '#schemas/result.ts';

const KINDS = [...TASKS, 'status', 'preview', 'dead-letter'] as const;
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** Everything that the wall's server counts. */
export const WALL_METRICS = {
  counters: {
    ...byLabel('records', 'kind', KINDS, {
      name: 'halfsight_wall_records_total',
      help: 'Records read since the start, by what they are.',
    }),
    ...byLabel('unreadable', 'kind', KINDS, {
      name: 'halfsight_wall_records_unreadable_total',
      help: 'Records that are not what their topic holds; they are not shown.',
    }),
    'no-room': {
      name: 'halfsight_wall_records_without_room_total',
      help: 'Results and statuses of cameras beyond the most that are kept.',
    },
    'previews-unannounced': {
      name: 'halfsight_wall_previews_unannounced_total',
      help: 'Pictures of cameras that are not said to send any; they are not kept.',
    },
    'pages-opened': { name: 'halfsight_wall_pages_opened_total', help: 'Live connections.' },
    'messages-refused': {
      name: 'halfsight_wall_messages_refused_total',
      help: 'Messages of pages that could not be followed.',
    },
    'pages-lost': {
      name: 'halfsight_wall_pages_lost_total',
      help: 'Live connections that were ended because the page did not answer.',
    },
    'results-sent': {
      name: 'halfsight_wall_results_sent_total',
      help: 'Results of a camera sent to a page.',
    },
    'results-passed-over': {
      name: 'halfsight_wall_results_passed_over_total',
      help: 'Results of watched cameras that a page was not sent, because newer ones had come.',
    },
    'ticks-skipped': {
      name: 'halfsight_wall_ticks_skipped_total',
      help: 'Times that a page was sent nothing, because it had not read what it was sent before.',
    },
    ...byLabel('requests', 'status', STATUS_CLASSES, {
      name: 'halfsight_wall_requests_total',
      help: 'HTTP requests that were answered, by class of status.',
    }),
    'spans-requests': {
      name: 'halfsight_wall_trace_exports_total',
      help: 'Requests that brought spans.',
    },
    'looks-failed': {
      name: 'halfsight_wall_looks_failed_total',
      help: 'Times that Kafka did not tell offsets.',
    },
  },
  histograms: {},
  gauges: {
    pages: { name: 'halfsight_wall_pages', help: 'Live connections that are open.' },
    cameras: { name: 'halfsight_wall_cameras', help: 'Cameras with a row.' },
    'cameras-without-row': {
      name: 'halfsight_wall_cameras_without_row',
      help: 'Cameras beyond the most that are kept.',
    },
    'frames-redriven': {
      name: 'halfsight_wall_frames_redriven_total',
      help: 'Frames that had been dead letters and were new here; their ages are in no chart.',
    },
    'recent-bytes': {
      name: 'halfsight_wall_recent_frames_bytes',
      help: 'Results of the newest frames, which can be looked at, as records.',
    },
    'preview-bytes': {
      name: 'halfsight_wall_previews_bytes',
      help: 'The newest pictures of cameras whose settings let them leave.',
    },
    'previews-evicted': {
      name: 'halfsight_wall_previews_evicted_total',
      help: 'Pictures that went before their time, to make room for those of other cameras.',
    },
    'history-bytes': {
      name: 'halfsight_wall_history_bytes',
      help: 'What the last hour of all cameras takes.',
    },
    'consumers-silent': {
      name: 'halfsight_wall_consumers_silent',
      help: '1 while frames wait and no consumer answers.',
    },
    'recent-evicted': {
      name: 'halfsight_wall_recent_frames_evicted_total',
      help: 'Frames that went before others of their camera needed the room.',
    },
    'spans-received': {
      name: 'halfsight_wall_spans_received_total',
      help: 'Spans that exporters sent.',
    },
    'spans-rejected': {
      name: 'halfsight_wall_spans_rejected_total',
      help: 'Spans that were unreadable, or too many in one request or one trace.',
    },
    'traces-evicted': {
      name: 'halfsight_wall_traces_evicted_total',
      help: 'Traces that went to make room for newer ones.',
    },
    'trace-bytes': {
      name: 'halfsight_wall_trace_store_bytes',
      help: 'What the spans that are here take.',
    },
  },
} as const satisfies MetricTables;

export type RecordKind = (typeof KINDS)[number];

export class Telemetry extends Metrics<typeof WALL_METRICS> {
  constructor() {
    super(WALL_METRICS);
  }
}
