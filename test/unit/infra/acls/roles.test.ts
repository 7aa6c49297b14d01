import { describe, expect, it } from 'vitest';
import { BACKFILL, operationsOf, ROLES, type Role, rulesOf } from '#infra/acls/roles.ts';
import { backfillSpecs, topicSpecs, topicTable } from '#schemas/topics.ts';

const topics = topicTable({ prefix: 'site-1' });
const options = {
  ...{ topics, groupId: 'site-1-brain', subscriberGroups: ['shop-'] },
  bridgedTopics: ['mdx-raw'],
};

/** `OPERATION resource name`, with a star where the name is a prefix. */
const lines = (role: Role) =>
  rulesOf(role, 'somebody', options).map(
    ({ operation, resource, pattern, name }) =>
      `${operation} ${resource} ${name}${pattern === 'PREFIXED' ? '*' : ''}`,
  );

describe('rulesOf', () => {
  it.each([
    ...topicSpecs(topics).map((topic) => ({ ...topic, access: undefined })),
    ...backfillSpecs(topics).map((topic) => ({ ...topic, access: BACKFILL })),
  ])('$name has a writer, and readers', ({ recordType, access }) => {
    const may = (operation: string) =>
      ROLES.filter((role) =>
        operationsOf(role, recordType, access).some((one) => one === operation),
      );
    expect(may('WRITE').length).toBeGreaterThan(0);
    // Of two processes that run all the time, one writes a topic and the other reads it.
    expect(may('WRITE').filter((role) => role !== 'operator').length).toBeLessThan(2);
    expect(may('READ').length).toBeGreaterThan(0);
    expect(may('CREATE')).toEqual(['operator']);
  });

  it('a topic without roles is a mistake that shows', () => {
    expect(() => operationsOf('camera', 'new-topic' as never)).toThrow(/roles of new-topic/);
  });

  it('a camera writes frames, statuses and previews, and may look how far consumers are', () => {
    expect(lines('camera')).toEqual([
      'WRITE TOPIC site-1.camera.frame.v1',
      'WRITE TOPIC site-1.camera.status.v1',
      'WRITE TOPIC site-1.camera.preview.v1',
      'DESCRIBE GROUP site-1-brain',
    ]);
  });

  it('an inference consumer has its group, and the ids of its transactions', () => {
    expect(lines('inference')).toEqual([
      'READ TOPIC site-1.camera.frame.v1',
      'WRITE TOPIC site-1.result.classification.v1',
      'WRITE TOPIC site-1.result.detection.v1',
      'WRITE TOPIC site-1.result.segmentation.v1',
      'WRITE TOPIC site-1.inference.dead-letter.v1',
      'WRITE TOPIC site-1.inference.head-shadow.v1',
      'READ GROUP site-1-brain',
      'WRITE TRANSACTIONAL_ID site-1-brain-site-1.camera.frame.v1-*',
    ]);
  });

  it('a job reads in groups of its own, and writes what backfills find', () => {
    expect(lines('jobs')).toEqual([
      'READ TOPIC site-1.camera.frame.v1',
      'READ TOPIC site-1.camera.status.v1',
      'READ TOPIC site-1.result.classification.v1',
      'READ TOPIC site-1.result.detection.v1',
      'READ TOPIC site-1.result.segmentation.v1',
      'READ TOPIC site-1.inference.dead-letter.v1',
      ...['classification', 'detection', 'segmentation'].flatMap((task) => [
        `READ TOPIC site-1.result.${task}.backfill.v1`,
        `WRITE TOPIC site-1.result.${task}.backfill.v1`,
      ]),
      'WRITE TOPIC site-1.inference.dead-letter.backfill.v1',
      'READ GROUP site-1.camera.frame.v1-backfill-*',
      'READ GROUP halfsight-reader-*',
      'WRITE TRANSACTIONAL_ID site-1.camera.frame.v1-backfill-*',
      'DESCRIBE GROUP site-1-brain',
    ]);
  });

  it('a subscriber reads results, in groups of its own', () => {
    expect(lines('subscriber')).toEqual([
      'READ TOPIC site-1.result.classification.v1',
      'READ TOPIC site-1.result.detection.v1',
      'READ TOPIC site-1.result.segmentation.v1',
      'READ TOPIC site-1.result.classification.backfill.v1',
      'READ TOPIC site-1.result.detection.backfill.v1',
      'READ TOPIC site-1.result.segmentation.backfill.v1',
      'READ GROUP halfsight-reader-*',
      'READ GROUP shop-*',
    ]);
  });

  it('webhooks read results, in groups of hooks', () => {
    expect(lines('webhooks')).toEqual([
      'READ TOPIC site-1.result.classification.v1',
      'READ TOPIC site-1.result.detection.v1',
      'READ TOPIC site-1.result.segmentation.v1',
      ...['classification', 'detection', 'segmentation'].flatMap((task) => [
        `READ GROUP site-1.result.${task}.v1-webhook-*`,
        `WRITE TRANSACTIONAL_ID site-1.result.${task}.v1-webhook-*`,
      ]),
    ]);
  });

  it('a bridge reads results in groups of bridges, and writes what it was let', () => {
    expect(lines('bridge')).toEqual([
      'READ TOPIC site-1.result.classification.v1',
      'READ TOPIC site-1.result.detection.v1',
      'READ TOPIC site-1.result.segmentation.v1',
      'WRITE TOPIC mdx-raw',
      'READ GROUP halfsight-reader-*',
      ...['classification', 'detection', 'segmentation'].flatMap((task) => [
        `READ GROUP site-1.result.${task}.v1-bridge-*`,
        `WRITE TRANSACTIONAL_ID site-1.result.${task}.v1-bridge-*`,
      ]),
    ]);
  });

  it('the wall reads what it shows, and writes nothing', () => {
    expect(lines('wall')).toEqual([
      'READ TOPIC site-1.camera.frame.v1',
      'READ TOPIC site-1.camera.status.v1',
      'READ TOPIC site-1.camera.preview.v1',
      'READ TOPIC site-1.result.classification.v1',
      'READ TOPIC site-1.result.detection.v1',
      'READ TOPIC site-1.result.segmentation.v1',
      'READ TOPIC site-1.inference.dead-letter.v1',
      'READ GROUP halfsight-reader-*',
      'DESCRIBE GROUP site-1-brain',
    ]);
  });

  it('the operator does not write results, statuses or dead letters', () => {
    const written = lines('operator').filter((line) => line.startsWith('WRITE'));
    expect(written).toEqual([
      'WRITE TOPIC site-1.camera.frame.v1',
      'WRITE TOPIC site-1.inference.dead-letter-action.v1',
      'WRITE TRANSACTIONAL_ID ' +
        'site-1.inference.dead-letter.v1-redrive-site-1.inference.dead-letter.v1-*',
    ]);
    expect(lines('operator')).toContain('READ GROUP site-1.inference.dead-letter.v1-redrive');
  });

  it('pictures are read by the wall alone, though the operator looks after their topic', () => {
    const may = (operation: string) =>
      ROLES.filter((role) => lines(role).includes(`${operation} TOPIC site-1.camera.preview.v1`));
    expect(may('READ')).toEqual(['wall']);
    expect(may('WRITE')).toEqual(['camera']);
    expect(may('ALTER_CONFIGS')).toEqual(['operator']);
  });

  it('every rule is for that user alone, and allows; no topic is named by a prefix', () => {
    for (const role of ROLES) {
      for (const rule of rulesOf(role, 'somebody', options)) {
        expect(rule).toMatchObject({ principal: 'User:somebody', host: '*', permission: 'ALLOW' });
        if (rule.resource === 'TOPIC') expect(rule.pattern).toBe('LITERAL');
      }
    }
  });
});
