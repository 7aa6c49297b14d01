import { describe, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import type { PreviewsReport } from '#producers/camera/previews.ts';
import { Telemetry } from '#producers/camera/telemetry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import type { Sample } from '#runtime/metrics/family.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const CAPTURED = 'halfsight_agent_camera_frames_captured_total';
const DROPPED = 'halfsight_agent_camera_frames_dropped_total';
const AGE = 'halfsight_agent_camera_last_frame_age_seconds';

function setUp(cameraCount: number, previews?: () => PreviewsReport) {
  const clock = new ManualClock();
  const ids = Array.from({ length: cameraCount }, (_, index) => `camera-${index}`);
  const books = new Map(ids.map((id) => [id, new CameraBook(id)]));
  const reports = {
    memory: () => ({ records: 0, bytes: 0, publishedBytes: 123 }),
    spool: () => undefined,
    ...(previews && { previews }),
  };
  const telemetry = new Telemetry(books, reports, clock);
  const nextOf = new Map<string, number>();
  const capture = (cameraId: string) => {
    const sequence = nextOf.get(cameraId) ?? 0;
    nextOf.set(cameraId, sequence + 1);
    const account = books.get(cameraId)?.captured({ cameraId, epoch: 1, sequence }, clock.nowUs());
    return {
      publish: () => account?.publish(sequence),
      drop: () => account?.drop(sequence, 'encoder-busy'),
    };
  };
  const samples = (name: string): readonly Sample[] => {
    const family = telemetry.metrics.families().find((one) => one.name === name);
    return family === undefined || family.type === 'histogram' ? [] : family.samples;
  };
  const sum = (name: string) => samples(name).reduce((total, { value }) => total + value, 0);
  const reading = (name: string, labels: Readonly<Record<string, string>>) =>
    samples(name).find((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )?.value;
  const leave = (cameraId: string) => {
    const book = books.get(cameraId);
    books.delete(cameraId);
    if (book !== undefined) telemetry.forget(book);
  };
  return { clock, ids, books, telemetry, capture, samples, sum, reading, leave };
}

describe('AgentMetrics', () => {
  it('shows what is in the books, of each camera and of all', () => {
    const { capture, telemetry, samples, reading } = setUp(2);
    capture('camera-0').publish();
    capture('camera-0').drop();
    capture('camera-1');
    telemetry.encoded('camera-0', 4_000, 700);
    expect(samples(CAPTURED)).toEqual([
      { labels: { camera_id: 'camera-0' }, value: 2 },
      { labels: { camera_id: 'camera-1' }, value: 1 },
    ]);
    expect(samples(DROPPED)).toEqual([
      { labels: { camera_id: 'camera-0', reason: 'encoder-busy' }, value: 1 },
    ]);
    expect(reading('halfsight_agent_frames_captured_total', {})).toBe(3);
    expect(reading('halfsight_agent_frames_published_total', {})).toBe(1);
    expect(reading('halfsight_agent_frames_in_flight', {})).toBe(1);
    expect(reading('halfsight_agent_frames_dropped_total', { reason: 'encoder-busy' })).toBe(1);
    expect(reading('halfsight_agent_frames_dropped_total', { reason: 'spool-full' })).toBe(0);
    expect(reading('halfsight_agent_bitstream_bytes_total', {})).toBe(700);
    expect(reading('halfsight_agent_published_bytes_total', {})).toBe(123);
    expect(reading('halfsight_agent_cameras', { state: 'connecting' })).toBe(2);
    const encode = telemetry.metrics.families().find(({ name }) => name.endsWith('encode_seconds'));
    expect(encode).toMatchObject({ distributions: [{ count: 1, sum: 0.004 }] });
  });

  it('counts the pictures that left cameras, where any may', () => {
    const report = { published: 3, dropped: { 'line-busy': 2 } };
    const [published, dropped] = ['published', 'dropped'].map(
      (what) => `halfsight_agent_previews_${what}_total`,
    );
    const { reading, telemetry } = setUp(1, () => report);
    expect(reading(published ?? '', {})).toBe(3);
    expect(reading(dropped ?? '', { reason: 'line-busy' })).toBe(2);
    expect(reading(dropped ?? '', { reason: 'too-large' })).toBe(0);
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    telemetry.log(createLogger({ level: 'info', format: 'json', write }));
    const figures = { previewsPublished: 3, 'previewsDropped:line-busy': 2 };
    expect(JSON.parse(lines[0] ?? '')).toMatchObject(figures);
    expect(setUp(1).reading(published ?? '', {})).toBeUndefined();
  });

  it('gives so many cameras their own series, and keeps the sums of the others', () => {
    const { ids, capture, samples, sum, reading } = setUp(LIMITS.metricCamerasMax + 20);
    for (const id of ids) capture(id).drop();
    for (const id of ids) capture(id).publish();
    expect(samples(CAPTURED)).toHaveLength(LIMITS.metricCamerasMax + 1);
    expect(reading(CAPTURED, { camera_id: 'other' })).toBe(40);
    expect(reading(DROPPED, { camera_id: 'other', reason: 'encoder-busy' })).toBe(20);
    expect(sum(CAPTURED)).toBe(2 * ids.length);
  });

  it('lets no series become less when cameras leave and others come', () => {
    const { books, ids, capture, reading, leave, sum } = setUp(LIMITS.metricCamerasMax + 2);
    for (const id of ids) capture(id).publish();
    expect(reading(CAPTURED, { camera_id: 'other' })).toBe(2);
    leave(`camera-${LIMITS.metricCamerasMax}`);
    expect(reading(CAPTURED, { camera_id: 'other' })).toBe(2);
    leave(`camera-${LIMITS.metricCamerasMax + 1}`);
    expect(reading(CAPTURED, { camera_id: 'other' })).toBe(2);
    leave('camera-0');
    expect(reading(CAPTURED, { camera_id: 'camera-0' })).toBeUndefined();
    books.set('new', new CameraBook('new'));
    capture('new').publish();
    expect(reading(CAPTURED, { camera_id: 'new' })).toBe(1);
    expect(reading('halfsight_agent_frames_captured_total', {})).toBe(ids.length + 1);
    // One that had a series of its own has gone with it.
    expect(sum(CAPTURED)).toBe(ids.length);
  });

  it('tells how long ago the newest frame was, of a shared series the longest', async () => {
    const { clock, ids, capture, reading } = setUp(LIMITS.metricCamerasMax + 2);
    for (const id of ids) capture(id);
    await clock.advance(3_000);
    capture(`camera-${LIMITS.metricCamerasMax}`);
    capture('camera-1');
    await clock.advance(1_000);
    expect(reading(AGE, { camera_id: 'camera-0' })).toBe(4);
    expect(reading(AGE, { camera_id: 'camera-1' })).toBe(1);
    expect(reading(AGE, { camera_id: 'other' })).toBe(4);
  });

  it('has no age of a camera that never gave a frame', () => {
    expect(setUp(1).samples(AGE)).toEqual([]);
  });

  it('has an age of a shared series only while cameras share it', () => {
    const { ids, capture, reading, leave } = setUp(LIMITS.metricCamerasMax + 1);
    for (const id of ids) capture(id);
    expect(reading(AGE, { camera_id: 'other' })).toBe(0);
    leave(`camera-${LIMITS.metricCamerasMax}`);
    expect(reading(CAPTURED, { camera_id: 'other' })).toBe(1);
    expect(reading(AGE, { camera_id: 'other' })).toBeUndefined();
  });
});
