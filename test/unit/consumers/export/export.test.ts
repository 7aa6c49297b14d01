import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf } from '#runtime/errors.ts';
import type { DetectionResult } from '#schemas/result.ts';
import { detection } from '../subscriber/results.ts';
import { storedResults } from './stored-results.ts';

const CAMERAS = ['gate', 'yard', 'north-1', 'roof'];
const EPOCH = 1_700_000_000_000;

function found(cameraId: string, sequence: number, changes = {}): DetectionResult {
  const captureTimeUs = (EPOCH + sequence * 1000) * 1000;
  return detection([['person', 0.5]], { cameraId, sequence, captureTimeUs, ...changes });
}

describe('an export', () => {
  it('has every result of the topic once, those of a camera in order', async () => {
    const scene = storedResults();
    const { drive, write, record, folder } = scene;
    for (let sequence = 0; sequence < 50; sequence++) {
      const results = CAMERAS.map((camera) => record(found(camera, sequence)));
      await drive(write(results));
      // Nobody sees what a consumer left behind that was killed.
      if (sequence % 7 === 0) await drive(write(results, false));
    }
    const summary = await drive(scene.export({ format: 'csv' }));
    expect(summary).toMatchObject({ exported: 200, recordsRead: 200, skipped: {} });
    const text = readFileSync(join(folder, 'out'), 'utf8');
    expect(summary?.bytes).toBe(Buffer.byteLength(text));
    const [header, ...lines] = text.trimEnd().split('\n');
    expect(header).toMatch(/^frame_id,camera_id,/);
    for (const camera of CAMERAS) {
      const own = lines.filter((line) => line.startsWith(`${camera}-${EPOCH}-`));
      expect(own.map((line) => Number(line.split(',')[3]))).toEqual(
        Array.from({ length: 50 }, (_, index) => index),
      );
    }
  });

  it('is the same file when it is repeated, whatever comes in which order', async () => {
    const scene = storedResults();
    const { drive, write, record, folder } = scene;
    for (let sequence = 0; sequence < 30; sequence++) {
      await drive(write(CAMERAS.map((camera) => record(found(camera, sequence)))));
    }
    const untilMs = EPOCH + 30_000;
    const [one, two] = ['one', 'two'].map((name) => join(folder, name));
    await drive(scene.export({ format: 'coco', untilMs, output: one ?? '' }));
    await drive(write(CAMERAS.map((camera) => record(found(camera, 30)))));
    await drive(scene.export({ format: 'coco', untilMs, output: two ?? '' }));
    expect(readFileSync(two ?? '')).toEqual(readFileSync(one ?? ''));
    expect(readdirSync(folder).sort()).toEqual(['one', 'two']);
  });

  it('counts what it leaves out, with the reason', async () => {
    const scene = storedResults();
    const { drive, write, record, topics } = scene;
    const sequences = [0, 1, 2, 3, 4, 5];
    const nonsense = Uint8Array.of(1, 2, 3);
    await drive(
      write([
        ...sequences.map((sequence) => record(found('gate', sequence))),
        record(found('yard', 3)),
        record(found('gate', 3, { status: 'shed', sequence: 6 })),
        record(found('gate', 3, { status: 'unknown', sequence: 7 })),
        record(found('gate', 3, { status: 'unwanted', sequence: 8 })),
        { topic: topics.results.detection.name, key: 'gate', value: nonsense, headers: {} },
      ]),
    );
    const order = { cameras: ['gate'], sinceMs: EPOCH + 2000, untilMs: EPOCH + 5000 };
    const summary = await drive(scene.export({ format: 'csv', ...order }));
    expect(summary).toMatchObject({
      exported: 3,
      skipped: {
        'other-camera': 1,
        'other-time': 3,
        shed: 1,
        unwanted: 1,
        'status-unknown': 1,
        undecodable: 1,
      },
    });
  });

  it('has what one backfill found, and nothing else', async () => {
    const scene = storedResults();
    const { drive, write, record } = scene;
    await drive(
      write([
        record(found('gate', 0)),
        record(found('gate', 0), 'night'),
        record(found('gate', 1), 'night'),
        record(found('gate', 0), 'day'),
      ]),
    );
    const summary = await drive(scene.export({ format: 'csv', backfill: 'night' }));
    expect(summary).toMatchObject({ exported: 2, skipped: { 'other-backfill': 1 } });
  });

  it('leaves nothing behind when it is stopped, or cannot write', async () => {
    const scene = storedResults();
    const { drive, write, record, folder } = scene;
    await drive(write([record(found('gate', 0))]));
    const stopping = AbortSignal.abort();
    expect(await drive(scene.export({ format: 'coco' }, stopping))).toBeUndefined();
    expect(readdirSync(folder)).toEqual([]);
    const output = join(folder, 'nowhere', 'out');
    const failed = scene.export({ format: 'csv', output }).catch(codeOf);
    expect(await drive(failed)).toBe('file-unwritable');
  });

  it('of a topic without results is a file without results', async () => {
    const scene = storedResults();
    const summary = await scene.drive(scene.export({ format: 'coco' }));
    expect(summary).toMatchObject({ exported: 0 });
    expect(JSON.parse(readFileSync(join(scene.folder, 'out'), 'utf8'))).toMatchObject({
      images: [],
      annotations: [],
      categories: [],
    });
  });

  it('says where Kafka has deleted results', async () => {
    const scene = storedResults();
    const { drive, write, record, cluster, topics } = scene;
    await drive(write([record(found('gate', 0)), record(found('gate', 1))]));
    cluster.partitionFor(topics.results.detection.name, 'gate').deleteAll();
    await drive(write([record(found('gate', 2)), record(found('gate', 3))]));
    const summary = await drive(scene.export({ format: 'csv' }));
    expect(summary).toMatchObject({ exported: 2, partitionsTrimmed: 1 });
  });
});
