import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { REPORT_JOB } from '#consumers/reports/job.ts';
import { codeOf } from '#runtime/errors.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { jobContext } from '../export/job-context.ts';
import { storedResults } from '../export/stored-results.ts';

const SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
const NOTHING = { output: undefined, url: undefined, 'secret-file': undefined };

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

describe('a job that reports', () => {
  it('writes a file for programs and one for people', async () => {
    const scene = storedResults();
    const output = join(scene.folder, 'night');
    const news = await scene.drive(REPORT_JOB.run({ ...NOTHING, output }, jobContext(scene)));
    const text = '0 cameras: adds up; group halfsight-inference: nothing unread';
    expect(news).toMatchObject({ text, figures: { balanced: true, cameras: 0 } });
    expect(JSON.parse(readFileSync(`${output}.json`, 'utf8'))).toMatchObject({
      ...{ balanced: true, cameras: [], lag: { frames: 0 } },
    });
    expect(readFileSync(`${output}.txt`, 'utf8')).toContain('No frame was captured.');
  });

  it('sends it, signed, with the same id when it is repeated', async () => {
    const scene = storedResults();
    const secretFile = join(scene.folder, 'secret');
    writeFileSync(secretFile, SECRET);
    const receiver = new WebhookReceiver(SECRET);
    await receiver.listen();
    ends.push(() => receiver.close());
    const order = { ...NOTHING, url: receiver.url, 'secret-file': secretFile };
    const run = () => scene.drive(REPORT_JOB.run(order, jobContext(scene)));
    await run();
    await run();
    const [one, two] = receiver.received;
    expect(one).toMatchObject({ isSignedRight: true, id: two?.id });
    expect(JSON.parse(one?.body ?? '')).toMatchObject({ balanced: true, camerasLeftOut: 0 });
    receiver.manner = { status: 503 };
    expect(await run().catch(codeOf)).toBe('webhook-failed');
  });

  it.each([
    [{}, 'say --output, --url or both'],
    [{ output: 'night' }, 'is no absolute path'],
    [{ url: 'https://a.example' }, 'belong together'],
    [{ url: 'file:///a', 'secret-file': '/a' }, 'must begin with https://'],
  ])('%j is refused', (order, message) => {
    expect(() => REPORT_JOB.check?.({ ...NOTHING, ...order }, 0)).toThrow(message);
  });
});
