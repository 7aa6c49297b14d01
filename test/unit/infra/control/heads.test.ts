import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listHeads } from '#infra/heads/commands.ts';
import { HeadFolder } from '#infra/heads/folder.ts';
import { loadBundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { withOffice } from './control-office.ts';

it('are those of the bundle and of the folder', async () => {
  const bundle = await loadBundle(TINY_BUNDLE);
  const folder = new HeadFolder(mkdtempSync(join(tmpdir(), 'halfsight-heads-')), bundle);
  await withOffice(
    async (office) => {
      const { status, body } = await office.ask('GET', '/v1/heads');
      expect(status).toBe(200);
      const own = bundle.manifest.heads.map(({ task, version }) => {
        return { task, version, state: 'live', own: true };
      });
      expect(body).toEqual({ heads: own });
    },
    { readHeads: () => listHeads(folder, bundle) },
  );
});

it('need a folder', () => {
  const advice = 'Set HALFSIGHT_HEADS_DIRECTORY.';
  const unnamed = new HalfsightError('settings-invalid', 'no folder is named.', { advice });
  return withOffice(
    async (office) => {
      const answer = await office.ask('GET', '/v1/heads');
      expect(answer).toMatchObject({
        status: 503,
        body: { detail: 'no folder is named.', advice },
      });
      expect(answer.headers).not.toHaveProperty('retry-after');
    },
    { readHeads: () => Promise.reject(unnamed) },
  );
});
