import { BOUNDS } from '#runtime/metrics/bounds.ts';
import type { MetricTables } from '#runtime/metrics/metrics.ts';

const CAMERA = ['camera_id'] as const;

/**
 * Everything that a camera agent tells of itself. What became of frames is in the cameras' books,
 * and is read from there; cameras beyond `metricCamerasMax` share the label "other".
 */
export const AGENT_METRICS = {
  counters: {},
  histograms: {
    'encode-ms': {
      name: 'halfsight_agent_encode_seconds',
      help: 'Encoding of one frame in its worker, from pixels to bitstream.',
      bounds: BOUNDS.seconds,
      perUnit: 1000,
    },
    'ack-ms': {
      name: 'halfsight_agent_ack_seconds',
      help: 'One send of frames, until the broker has acknowledged it.',
      bounds: BOUNDS.seconds,
      perUnit: 1000,
    },
  },
  gauges: {
    captured: {
      name: 'halfsight_agent_frames_captured_total',
      help: 'Frames that were captured, of cameras that left too.',
    },
    published: {
      name: 'halfsight_agent_frames_published_total',
      help: 'Frames that the broker has acknowledged.',
    },
    dropped: {
      name: 'halfsight_agent_frames_dropped_total',
      help: 'Frames that ended without being published, by reason.',
      labelNames: ['reason'],
    },
    'in-flight': {
      name: 'halfsight_agent_frames_in_flight',
      help: 'Frames captured that are neither published nor dropped yet.',
    },
    encoded: {
      name: 'halfsight_agent_frames_encoded_total',
      help: 'Frames that became a bitstream.',
    },
    'bitstream-bytes': {
      name: 'halfsight_agent_bitstream_bytes_total',
      help: 'Bytes of these bitstreams.',
    },
    'published-bytes': {
      name: 'halfsight_agent_published_bytes_total',
      help: 'Bytes of the records that the broker has acknowledged.',
    },
    reconnects: {
      name: 'halfsight_agent_reconnects_total',
      help: 'Times that a source was opened again.',
    },
    cameras: {
      name: 'halfsight_agent_cameras',
      help: 'Cameras of this agent, by state.',
      labelNames: ['state'],
    },
    'previews-published': {
      name: 'halfsight_agent_previews_published_total',
      help: 'Small pictures, of cameras whose settings let them leave, that the broker has.',
    },
    'previews-dropped': {
      name: 'halfsight_agent_previews_dropped_total',
      help: 'Previews that were not published, by reason.',
      labelNames: ['reason'],
    },
    'spool-failures': {
      name: 'halfsight_agent_spool_failures_total',
      help: 'Calls to the spool on disk that failed.',
    },
    'camera-captured': {
      name: 'halfsight_agent_camera_frames_captured_total',
      help: 'Frames of one camera that were captured.',
      labelNames: CAMERA,
    },
    'camera-published': {
      name: 'halfsight_agent_camera_frames_published_total',
      help: 'Frames of one camera that the broker has acknowledged.',
      labelNames: CAMERA,
    },
    'camera-dropped': {
      name: 'halfsight_agent_camera_frames_dropped_total',
      help: 'Frames of one camera that ended without being published, by reason.',
      labelNames: ['camera_id', 'reason'],
    },
    'camera-bitstream-bytes': {
      name: 'halfsight_agent_camera_bitstream_bytes_total',
      help: 'Bytes of the bitstreams of one camera.',
      labelNames: CAMERA,
    },
    'camera-last-frame-age-ms': {
      name: 'halfsight_agent_camera_last_frame_age_seconds',
      help: 'Time since the newest frame of one camera was captured; of "other", the longest.',
      labelNames: CAMERA,
      perUnit: 1000,
    },
  },
} as const satisfies MetricTables;
