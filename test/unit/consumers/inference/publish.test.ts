import { expect, it } from 'vitest';
import { resultsOutcome } from '#consumers/inference/publish.ts';
import { noTracer } from '#runtime/trace.ts';
import { decodeResult, TASKS } from '#schemas/result.ts';
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
