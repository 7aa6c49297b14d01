import { expect, it } from 'vitest';
import { SharedRead } from '#infra/control/shared-read.ts';
import { defined } from '#runtime/assert.ts';

function scene() {
  const ends: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  let running = 0;
  const shared = new SharedRead(async () => {
    expect(++running).toBe(1);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    ends.push({ resolve, reject });
    return promise.finally(() => running--);
  });
  return { shared, end: (at: number) => defined(ends[at], `read ${at}`), count: () => ends.length };
}

it('one read at a time; whoever asks meanwhile shares the next', async () => {
  const { shared, end, count } = scene();
  const first = shared.ask();
  const others = [shared.ask(), shared.ask()];
  expect(count()).toBe(1);
  end(0).resolve('old');
  expect(await first).toBe('old');
  await Promise.resolve();
  const late = shared.ask();
  await expect.poll(count).toBe(2);
  end(1).resolve('new');
  expect(await Promise.all(others)).toEqual(['new', 'new']);
  await expect.poll(count).toBe(3);
  end(2).resolve('newer');
  expect(await late).toBe('newer');
  const alone = shared.ask();
  expect(count()).toBe(4);
  end(3).resolve('last');
  expect(await alone).toBe('last');
});

it('one that fails is over', async () => {
  const { shared, end, count } = scene();
  const first = shared.ask();
  const second = shared.ask();
  end(0).reject(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await expect.poll(count).toBe(2);
  end(1).resolve('back');
  expect(await second).toBe('back');
});
