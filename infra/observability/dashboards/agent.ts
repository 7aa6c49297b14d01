import type { Board } from './dashboard.ts';
import { processSection } from './process-section.ts';
import { CHOSEN, chosen, largest, percentiles, rate, share, topTen } from './queries.ts';

/** From the camera to the broker. */
export const AGENT_BOARD: Board = {
  name: 'agent',
  title: 'Halfsight: camera agents',
  about: 'From the camera to the broker: what is captured, encoded, published and left out.',
  instancesOf: 'agent',
  sections: [
    {
      title: 'Frames',
      charts: [
        {
          title: 'Cameras by state',
          about: 'Cameras that these agents run.',
          unit: 'short',
          kind: 'areas',
          queries: { '{{state}}': `sum by (state) (${chosen('halfsight_agent_cameras')})` },
        },
        {
          title: 'Frames a second',
          about: 'Captured are published or dropped, each with a reason; the rest is on its way.',
          unit: 'cps',
          queries: {
            captured: rate(chosen('halfsight_agent_frames_captured_total')),
            published: rate(chosen('halfsight_agent_frames_published_total')),
          },
        },
        {
          title: 'Drops by reason',
          about: 'Frames that are left out here, and nowhere else. rate-limited is rate control.',
          unit: 'cps',
          kind: 'areas',
          queries: {
            '{{reason}}': rate(chosen('halfsight_agent_frames_dropped_total'), ['reason']),
          },
        },
        {
          title: 'Encoding a frame',
          about: 'From pixels to bitstream, in a worker. Its exemplars are traces.',
          unit: 's',
          exemplars: true,
          queries: percentiles({ name: 'halfsight_agent_encode_seconds', matching: CHOSEN }),
        },
        {
          title: 'Until the broker has it',
          about: 'One send of frames, until it is acknowledged.',
          unit: 's',
          queries: percentiles({ name: 'halfsight_agent_ack_seconds', matching: CHOSEN }),
        },
        {
          title: 'Bytes a frame',
          about: 'Of the bitstreams, in the mean.',
          unit: 'bytes',
          queries: {
            bitstream: share(
              rate(chosen('halfsight_agent_bitstream_bytes_total')),
              rate(chosen('halfsight_agent_frames_encoded_total')),
            ),
          },
        },
        {
          title: 'Bytes a second',
          about: 'Of records that the broker has acknowledged.',
          unit: 'Bps',
          queries: {
            '{{instance}}': rate(chosen('halfsight_agent_published_bytes_total'), ['instance']),
          },
        },
        {
          title: 'Sources opened again',
          about: 'Reconnects a second: cameras that come and go.',
          unit: 'cps',
          queries: {
            '{{instance}}': rate(chosen('halfsight_agent_reconnects_total'), ['instance']),
          },
        },
        {
          title: 'Frames on their way',
          about: 'Captured, and neither published nor dropped yet.',
          unit: 'short',
          queries: {
            '{{instance}}': `sum by (instance) (${chosen('halfsight_agent_frames_in_flight')})`,
          },
        },
      ],
    },
    {
      title: 'Queues',
      charts: [
        {
          title: 'Frames that wait',
          about: 'encode: for an encoder; backlog: for the broker; spool: on disk in an outage.',
          unit: 'short',
          queries: { '{{queue}}': `sum by (queue) (${chosen('halfsight_agent_queue_length')})` },
        },
        {
          title: 'How full',
          about: 'By bytes. When backlog or spool are full, the oldest frames are dropped.',
          unit: 'percentunit',
          queries: {
            '{{queue}} {{instance}}': share(
              chosen('halfsight_agent_queue_bytes'),
              chosen('halfsight_agent_queue_max_bytes'),
            ),
          },
        },
        {
          title: 'Dropped from a queue',
          about: 'Frames a second, by the queue that was full.',
          unit: 'cps',
          queries: { '{{queue}}': rate(chosen('halfsight_agent_queue_dropped_total'), ['queue']) },
        },
      ],
    },
    {
      title: 'Cameras',
      charts: [
        {
          title: 'Frames published a second',
          about: 'By camera; those beyond the first 128 of an agent share "other".',
          unit: 'cps',
          queries: {
            '{{camera_id}}': rate(chosen('halfsight_agent_camera_frames_published_total'), [
              'camera_id',
            ]),
          },
        },
        {
          title: 'Bytes a second',
          about: 'Of the bitstreams, by camera.',
          unit: 'Bps',
          queries: {
            '{{camera_id}}': rate(chosen('halfsight_agent_camera_bitstream_bytes_total'), [
              'camera_id',
            ]),
          },
        },
        {
          title: 'Age of the newest frame',
          about: 'The ten cameras that have been without a frame for longest.',
          unit: 's',
          queries: {
            '{{camera_id}}': topTen(
              largest(chosen('halfsight_agent_camera_last_frame_age_seconds'), ['camera_id']),
            ),
          },
        },
        {
          title: 'Drops',
          about: 'The ten cameras that lose most, and why.',
          unit: 'cps',
          queries: {
            '{{camera_id}} {{reason}}': topTen(
              rate(chosen('halfsight_agent_camera_frames_dropped_total'), ['camera_id', 'reason']),
            ),
          },
        },
      ],
    },
    processSection(CHOSEN),
  ],
};
