import { describe, expect, it } from 'vitest';
import { toTopicMessages } from '#runtime/kafka/topic-messages.ts';

const record = { topic: 'a', key: 'k', value: Uint8Array.of(1), headers: { name: 'ours' } };

describe('the headers of a record', () => {
  it('are text of ours and bytes of others; ours count where both have a name', async () => {
    const odd = Uint8Array.of(0xff, 0);
    const theirs = { ...record, rawHeaders: { odd, name: Uint8Array.of(0x78) } };
    const { topicMessages } = await toTopicMessages([record, theirs], async () => 1);
    const [plain, both] = topicMessages[0]?.messages ?? [];
    expect(plain?.headers).toEqual({ name: 'ours' });
    expect(both?.headers).toEqual({ name: 'ours', odd: Buffer.from(odd) });
  });
});
