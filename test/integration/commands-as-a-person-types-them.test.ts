import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { COMMANDS } from '#infra/command/commands.ts';
import { defined } from '#runtime/assert.ts';
import { writeHead } from '#test/fixtures/added-head.ts';
import { runNode } from '#test/fixtures/collected-child.ts';
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { sharedStack } from './stack.ts';

/**
 * Every command of `npx halfsight`: what it does, and what it says of a mistake. Their `--help` is
 * in test/unit/infra/command.
 */

const HALFSIGHT = join(import.meta.dirname, '../../infra/command/halfsight.mjs');
const { brokers, redisUrl, prefix } = sharedStack('typed');
const folder = mkdtempSync(join(tmpdir(), 'halfsight-typed-'));
const hooks = join(folder, 'webhooks.yaml');
const variables = {
  KAFKA_BROKERS: brokers.join(','),
  KAFKA_TOPIC_PREFIX: prefix,
  KAFKA_PARTITIONS: '2',
  REDIS_URL: redisUrl,
  HALFSIGHT_BUNDLE: TINY_BUNDLE,
  HALFSIGHT_HEADS_DIRECTORY: join(folder, 'heads'),
  HALFSIGHT_WEBHOOKS: hooks,
};

interface Answer {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

async function type(line: string): Promise<Answer> {
  const { code, output, errors } = await runNode(HALFSIGHT, line.split(' '), { variables });
  return { code, output, errors };
}

/** Two at a time: as many as there are processors at least. */
async function typeAll(lines: readonly string[]): Promise<Answer[]> {
  const answers = new Map<string, Answer>();
  const left = [...lines];
  const work = async () => {
    for (let line = left.shift(); line !== undefined; line = left.shift()) {
      answers.set(line, await type(line));
    }
  };
  await Promise.all([work(), work()]);
  return lines.map((line) => defined(answers.get(line), line));
}

it('every command does what it is for', async () => {
  const found = join(folder, 'found.csv');
  await writeHead(join(folder, 'detection-two'));
  const frame = join(folder, 'frame.avro');
  writeFileSync(frame, (await tinyFrames()).record(7, { cameraId: 'gate' }));
  writeFileSync(join(folder, 'shop.secret'), `whsec_${'A'.repeat(32)}\n`);
  writeFileSync(
    hooks,
    `hooks:
  - {name: shop, url: "http://127.0.0.1:9/", topic: detection, secretFile: shop.secret}
`,
  );
  const steps: readonly [line: string, output: RegExp][] = [
    ['topics', /^created {2}\S+\.camera\.frame\.v1\n/],
    ['topics', /^\d+ topics are as schemas\/topics\.ts says\n$/],
    ['plan --cameras 10 --bundle models/bundles/halfsight-lite0', /partitions/],
    ['cameras add gate --source synthetic:yard --fps 2 --label site=north', /^gate: added, ver/],
    ['cameras list', /^gate +unplaced +- +-\/2 .* no agent is running\n1 camera; no agent is /m],
    ['cameras set gate --fps 4', /^gate: changed, version 2\.\n$/],
    ['cameras show gate', /^fps +4 wanted, - now$/m],
    ['cameras disable gate', /^gate: disabled, version 3\.\n$/],
    ['cameras enable gate', /^gate: enabled, version 4\.\n$/],
    ['cameras drain gate', /^gate: disabled, version 5\.\ngate: drained\.\n$/],
    ['cameras remove gate', /^gate: removed\.\n$/],
    [`heads add ${join(folder, 'detection-two')}`, /^detection 2: added\./],
    ['heads shadow detection 2', /^detection: shadow 2;/],
    ['heads report detection', /^no head has run in shadow for detection\.$/m],
    ['heads switch detection 2', /^detection: live 2, was 1;/],
    ['heads list', /^detection +2 +live/m],
    ['heads switch detection 1', /^detection: live 1, was 2;/],
    ['heads retire detection 2', /^detection 2: retired\.\n$/],
    ['jobs add backfill --id night --heads detection --rate 5', /^night: added\.\n$/],
    ['jobs pause night', /^night: paused\.\n$/],
    ['jobs list', /^night +backfill +paused /m],
    ['jobs resume night', /^night: resumed\.\n$/],
    ['jobs cancel night', /^night: cancelled\.\n$/],
    ['jobs retry night', /^night: to be tried again\.\n$/],
    ['jobs show night', /^order +--heads detection --rate 5$/m],
    ['jobs cancel night', /^night: cancelled\.\n$/],
    ['jobs remove night', /^night: removed\.\n$/],
    ['balance', /^No frame was captured\.\n$/],
    ['balance --json', /"balanced":true/],
    ['follow detection --from earliest --duration 1', /^$/],
    [`inspect --file ${frame}`, /^frame +gate-\d+-7\n[\s\S]*^bits by place/m],
    [`export --format csv --topic detection --output ${found}`, /found\.csv: 0 results/],
    ['webhooks list', /^shop /m],
    ['dead-letters list', /^No dead letter matches\.\n$/],
    ['backfill --id now', /^done: 0 frames read/m],
    ['control --openapi', /^\{\n {2}"openapi": "3\.1/],
    ['completion bash', /^complete .* halfsight/m],
  ];
  const met = new Set<string>();
  for (const [line, output] of steps) {
    const answer = await type(line);
    expect(answer, line).toMatchObject({ code: 0, output: expect.stringMatching(output) });
    // A backfill logs as the consumer does that it is: of a coordinator that it had to wait for.
    if (!line.startsWith('backfill')) expect(answer.errors, line).toBe('');
    met.add(line.split(' ')[0] ?? '');
  }
  // Without an authorizer there are no ACLs: test/integration/servers/credentials-refused.test.ts.
  // These do not end by themselves: test/integration/consumers-silent-on-the-wall.test.ts and
  // test/integration/bridge-killed-mid-run.test.ts.
  const unmet = COMMANDS.map(({ name }) => name).filter((name) => !met.has(name));
  expect(unmet.toSorted()).toEqual(['acls', 'bridge', 'wall']);
});

it('every command says what was wrong, and what to do', async () => {
  const mistakes: readonly [line: string, code: number, errors: RegExp][] = [
    ['topcs', 2, /there is no command "topcs"\. Is it topics\?/],
    ['topics now', 2, /Unexpected argument 'now'\. .*\. See npx halfsight topics --help\./],
    ['plan --cameras many', 2, /--cameras must be a number from 1 to \d+, but is "many"\./],
    ['cameras add gate', 2, /--source is missing\. See npx halfsight cameras add --help\./],
    ['cameras set ghost --fps 3', 1, /no camera "ghost"\. npx halfsight cameras list shows/],
    ['heads switch detection 9', 1, /no head detection 9\. npx halfsight heads list shows/],
    ['heads add /nowhere', 1, /cannot be read: .* A head is a folder with head\.json/],
    ['jobs add bakfill', 2, /no kind of job "bakfill"\. There are backfill, redrive/],
    ['jobs add backfill --since yesterday', 2, /since must be a time such as .*"yesterday"\./],
    ['jobs show ghost', 1, /no job "ghost"\. npx halfsight jobs list shows/],
    ['control --port 1', 2, /Unknown option '--port'\. See npx halfsight control --help\./],
    ['acls --camera gate', 1, /The brokers have no authorizer\./],
    ['follow detektion', 2, /no task "detektion"\. Tasks are: classification, detection/],
    ['inspect gate', 2, /"gate" is no frame id: .*\. See npx halfsight inspect --help\./],
    ['export --format cocoa --topic detection --output x', 2, /no format "cocoa"\. There are/],
    ['bridge --format onvif --topic detection', 2, /--to is missing\. See npx halfsight bridge/],
    ['webhooks test ghost', 2, /no hook "ghost"/],
    ['balance --all', 2, /Unknown option '--all'\. See npx halfsight balance --help\./],
    ['wall --port 1', 2, /Unknown option '--port'\. .*See npx halfsight wall --help\./],
    ['dead-letters show 0:99', 2, /0:99 is no dead letter\. .* list shows what there is/],
    ['backfill --id', 2, /Option '--id <value>' argument missing\. See .* --help\./],
    ['completion fish', 2, /no completion for "fish"\. See npx halfsight completion --help\./],
  ];
  const answers = await typeAll(mistakes.map(([line]) => line));
  for (const [index, [line, code, errors]] of mistakes.entries()) {
    const answer = answers[index];
    expect(answer, line).toEqual({ code, output: '', errors: expect.stringMatching(errors) });
    // One line, and no stack.
    expect(answer?.errors.trimEnd().split('\n'), line).toHaveLength(line === 'topcs' ? 2 : 1);
  }
  const met = new Set(mistakes.map(([line]) => line.split(' ')[0]));
  const unmet = COMMANDS.filter(({ name }) => !met.has(name)).map(({ name }) => name);
  expect(unmet).toEqual([]);
});
