import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXPORT_JOB } from '#consumers/export/job.ts';
import { detection } from '../subscriber/results.ts';
import { jobContext } from './job-context.ts';
import { storedResults } from './stored-results.ts';

const START_MS = 1_700_000_000_000;
const NOTHING = {
  ...{ since: undefined, until: undefined, cameras: undefined, backfill: undefined },
  ...{ format: 'csv', topic: 'detection', output: '/tmp/out' },
};

const found = (sequence: number) =>
  detection([['person', 0.5]], { sequence, captureTimeUs: (START_MS + sequence) * 1000 });

describe('a job that exports', () => {
  it('has what was captured until it was added, whenever it runs', async () => {
    const scene = storedResults();
    const { drive, write, record, folder } = scene;
    await drive(write([0, 1, 2].map((sequence) => record(found(sequence)))));
    const context = jobContext(scene, { addedMs: START_MS + 3 });
    const output = join(folder, 'out');
    const news = await drive(EXPORT_JOB.run({ ...NOTHING, output }, context));
    expect(news).toMatchObject({ figures: { exported: 3, file: output } });
    const first = readFileSync(output, 'utf8');
    await drive(write([3, 4].map((sequence) => record(found(sequence)))));
    const again = await drive(EXPORT_JOB.run({ ...NOTHING, output }, context));
    expect(again).toMatchObject({ figures: { exported: 3, skipped: { 'other-time': 2 } } });
    expect(readFileSync(output, 'utf8')).toBe(first);
  });

  it('lets go when it is told to', async () => {
    const scene = storedResults();
    const output = join(scene.folder, 'out');
    const context = jobContext(scene, { stopping: AbortSignal.abort('paused') });
    expect(await scene.drive(EXPORT_JOB.run({ ...NOTHING, output }, context))).toBe('stopped');
  });

  it.each([
    [{ format: 'xml' }, 'there is no format "xml"'],
    [{ topic: 'faces' }, 'there is no topic "faces"'],
    [{ format: 'onvif', topic: 'segmentation' }, 'onvif cannot hold segmentation results'],
    [{ output: 'out' }, 'is no absolute path'],
    [{ until: 2_001 }, 'until is yet to come'],
    [{ since: 1_000, until: 1_000 }, 'it shall begin at'],
    [{ cameras: ['a b'] }, '"a b" can be no camera\'s id'],
  ])('%j is refused', (order, message) => {
    expect(() => EXPORT_JOB.check?.({ ...NOTHING, ...order }, 2_000)).toThrow(message);
  });
});
