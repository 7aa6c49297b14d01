import { expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { SharedLookup } from '#runtime/kafka/shared-lookup.ts';

function scripted() {
  const answers: PromiseWithResolvers<number>[] = [];
  const lookup = new SharedLookup(() => {
    const answer = Promise.withResolvers<number>();
    answers.push(answer);
    return answer.promise;
  });
  return { answers, lookup };
}

it('who asks at once shares a lookup, who asks later the next', async () => {
  const { answers, lookup } = scripted();
  const first = [lookup.ask(), lookup.ask()];
  await systemClock.turn();
  const later = [lookup.ask(), lookup.ask(), lookup.ask()];
  await systemClock.turn();
  expect(answers).toHaveLength(1);
  answers[0]?.resolve(1);
  expect(await Promise.all(first)).toEqual([1, 1]);
  await systemClock.turn();
  expect(answers).toHaveLength(2);
  answers[1]?.resolve(2);
  expect(await Promise.all(later)).toEqual([2, 2, 2]);
});

it('a lookup that fails fails for those who share it, and the next begins', async () => {
  const { answers, lookup } = scripted();
  const first = lookup.ask();
  await systemClock.turn();
  const next = lookup.ask();
  answers[0]?.reject(new Error('not yet'));
  await expect(first).rejects.toThrow('not yet');
  await systemClock.turn();
  answers[1]?.resolve(7);
  expect(await next).toBe(7);
});
