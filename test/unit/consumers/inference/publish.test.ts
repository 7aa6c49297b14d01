import { expect, it } from 'vitest';
import { resultsOutcome } from '#consumers/inference/publish.ts';
import { noTracer } from '#runtime/trace.ts';
import { decodeResult, TASKS, type Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { parsedFrame } from './fakes.ts';
import { tinyFrames } from './tiny-frames.ts';

const { bundle, framing } = await tinyFrames();
const topics = topicTable();
const options = { bundle, framing, topics, heads: TASKS, tracer: noTracer };

it('a head that did not run publishes that it was shed, and nothing found', () => {
  const { records, counters } = resultsOutcome(
    parsedFrame({ sequence: 7 }),
    {
      findings: [{ task: 'detection', detections: [] }],
      intervals: [{ startUs: 1, endUs: 2 }],
      traceparent: undefined,
    },
    options,
  );
  expect(records.map(({ topic }) => topic)).toEqual(TASKS.map((task) => topics.results[task].name));
  const results = TASKS.map((task, index) =>
    decodeResult(task, records[index]?.value ?? null, framing),
  );
  expect(results.map(({ status }) => status)).toEqual(['shed', 'ok', 'shed']);
  expect(results.every(({ sequence }) => sequence === 7)).toBe(true);
  expect(counters).toEqual([
    'results-shed-classification',
    'results-detection',
    'results-shed-segmentation',
  ]);
});

it('a head that the frame does not want publishes that, and nothing that it found', () => {
  const box = [0, 0, 1, 1] as const;
  const found = {
    findings: [
      { task: 'detection', detections: [{ classId: 0, label: 'person', score: 1, box }] },
      { task: 'segmentation', masks: [] },
    ],
    intervals: [
      { startUs: 1, endUs: 1_000 },
      { startUs: 1_000, endUs: 2_000 },
    ],
    traceparent: undefined,
  } as const;
  const resultsOf = (heads: readonly Task[]) => {
    const { records, counters } = resultsOutcome(parsedFrame({ heads }), found, options);
    const results = TASKS.map((task, index) =>
      decodeResult(task, records[index]?.value ?? null, framing),
    );
    return { results, counters };
  };
  const { results, counters } = resultsOf(['classification', 'segmentation']);
  expect(results.map(({ status }) => status)).toEqual(['shed', 'unwanted', 'ok']);
  expect(results[1]).toMatchObject({ detections: [] });
  // Its own time, not that of the head before it; else when the frame was parsed.
  expect(results.map(({ inferTimeUs }) => inferTimeUs)).toEqual([3, 3, 2_000]);
  expect(counters).toEqual([
    'results-shed-classification',
    'results-unwanted-detection',
    'results-segmentation',
  ]);
  const companion = resultsOf(['detection']);
  expect(companion.results.map(({ status }) => status)).toEqual(['unwanted', 'ok', 'unwanted']);
  expect(companion.results[1]).toMatchObject({ detections: [{ label: 'person' }] });
});

it('the lineage names the heads that made a result, each for itself', () => {
  const { records } = resultsOutcome(
    parsedFrame(),
    {
      findings: [],
      intervals: [],
      added: { detection: { version: '2', digest: 'ab'.repeat(32) } },
      traceparent: undefined,
    },
    options,
  );
  const lineages = TASKS.map((task, index) => {
    const { lineage } = decodeResult(task, records[index]?.value ?? null, framing);
    return [task, lineage.headVersion, lineage.headDigest];
  });
  expect(lineages).toEqual([
    ['classification', '1', ''],
    ['detection', '2', 'ab'.repeat(32)],
    ['segmentation', '1', ''],
  ]);
});
