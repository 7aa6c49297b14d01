import { describe, expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { encodeFrame } from '#schemas/frame.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { RECORD_TYPES } from '#schemas/record-type.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { topicTable } from '#schemas/topics.ts';
import { schemaRegistryContract } from '#test/contract/schema-registry.ts';
import { FRAME } from '#test/unit/schemas/samples.ts';

const url = defined(process.env.SRFAKE_URL, 'SRFAKE_URL: run test/srfake/run.sh');

describe('srfake', () => {
  schemaRegistryContract({ url: () => url, judgesCompatibility: false });

  it('has our schemas by the GUID that it gave them', async () => {
    const { schema } = RECORD_TYPES.frame.current;
    const subject = 'site.camera.frame.v1-value';
    const response = await fetch(`${url}/subjects/${subject}/versions/latest`);
    const { guid } = (await response.json()) as { readonly guid: string };
    expect(await connectSchemaRegistry({ url }).schemaByGuid(guid)).toEqual(schema);
  });

  it('gives a process the ids that it writes with', async () => {
    const framing = await openFraming({ url }, topicTable({ prefix: 'site' }));
    expect(encodeFrame(FRAME, framing)[0]).toBe(0x00);
  });
});
