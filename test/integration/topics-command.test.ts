import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { allSpecs } from '#infra/topics/create.ts';
import { topicTable } from '#schemas/topics.ts';
import { sharedStack } from './stack.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'infra', 'topics', 'main.ts');

it('creates what is missing, then finds nothing to do, then says what it may not do', async () => {
  const { brokers, prefix } = sharedStack('topics');
  const topics = async (variables: Record<string, string> = {}) => {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        ...process.env,
        KAFKA_BROKERS: brokers.join(','),
        KAFKA_TOPIC_PREFIX: prefix,
        KAFKA_PARTITIONS: '2',
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return (await text(child.stdout)).trimEnd().split('\n');
  };
  const count = allSpecs(topicTable()).length;
  const created = await topics();
  expect(created).toHaveLength(count);
  expect(created).toContain(`created  ${prefix}.camera.frame.v1`);
  expect(created).toContain(`created  ${prefix}.result.detection.backfill.v1`);
  expect(await topics()).toEqual([`${count} topics are as schemas/topics.ts says`]);
  // Fewer partitions than there are would move cameras and break their order.
  const refused = await topics({ KAFKA_PARTITIONS: '1' });
  expect(refused).toHaveLength(count);
  expect(refused[0]).toMatch(/^differs .*: partitions is 2, the table says 1/);
});
