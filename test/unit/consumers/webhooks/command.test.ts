import { describe, expect, it } from 'vitest';
import { readWebhooksArguments } from '#consumers/webhooks/arguments.ts';
import { hookNamed } from '#consumers/webhooks/commands.ts';
import type { Hook } from '#consumers/webhooks/hook.ts';
import { type HookStatus, listText, testText } from '#consumers/webhooks/text.ts';

describe('npx halfsight webhooks', () => {
  it.each([
    [[], { verb: 'help' }],
    [['list', '--help'], { verb: 'help' }],
    [['list'], { verb: 'list', json: false }],
    [['list', '--json'], { verb: 'list', json: true }],
    [['test', 'shop'], { verb: 'test', name: 'shop' }],
    [['resume', 'shop'], { verb: 'resume', name: 'shop' }],
  ])('%j', (args, command) => {
    expect(readWebhooksArguments(args)).toEqual(command);
  });

  it.each([
    [['stop'], 'there is no command "stop"'],
    [['list', 'shop'], 'list takes no "shop"'],
    [['test'], 'test takes the name of one hook'],
    [['resume', 'a', 'b'], 'resume takes the name of one hook'],
    [['test', 'a', '--json'], 'test takes no --json'],
    [['list', '--what'], "'--what'"],
  ])('%j is refused', (args, message) => {
    expect(() => readWebhooksArguments(args)).toThrow(message);
  });

  it('names the hooks that there are', () => {
    const hooks = [{ name: 'shop' }, { name: 'bell' }] as Hook[];
    expect(hookNamed(hooks, 'bell')).toBe(hooks[1]);
    expect(() => hookNamed(hooks, 'bel')).toThrow(
      expect.objectContaining({ code: 'usage-invalid', advice: 'There are shop, bell.' }),
    );
  });

  it('lists how they do, and why', () => {
    const active: HookStatus = {
      ...{ name: 'bell', topic: 'segmentation', state: 'active', waiting: 0, unread: 0 },
      ...{ delivered: 1200, failures: 0, failingSinceMs: undefined, lastFailure: undefined },
      ...{ parkedMs: undefined, refused: 0, tooLarge: 0, deleted: 0 },
    };
    const parked: HookStatus = {
      ...active,
      ...{ name: 'shop', topic: 'detection', state: 'parked', waiting: 256, unread: 9000 },
      ...{ failures: 31, failingSinceMs: Date.UTC(2026, 10, 28, 12), lastFailure: 'answers 503' },
      ...{ parkedMs: Date.UTC(2026, 10, 28, 13), refused: 2, tooLarge: 1, deleted: 70 },
    };
    expect(listText([active, parked])).toBe(
      [
        'HOOK  TOPIC         STATE   DELIVERED  WAITING  UNREAD  WHY',
        'bell  segmentation  active       1200        0       0',
        'shop  detection     parked       1200      256    9000  parked 2026-11-28T13:00:00; ' +
          '31 failures since 2026-11-28T12:00:00: answers 503; 2 set aside; 1 too large; ' +
          'up to 70 deleted unread',
        '',
      ].join('\n'),
    );
  });

  it('says what a test brought', () => {
    const outcome = {
      ...{ isAccepted: true, text: 'answers 200', status: 200, retryAfterMs: undefined },
      ...{ tookMs: 12, answer: 'thanks\n' },
    };
    expect(testText(outcome)).toBe('accepted: answers 200, after 12 ms\nthanks\n');
    expect(testText({ ...outcome, isAccepted: false, text: 'ECONNREFUSED', answer: '' })).toBe(
      'NOT accepted: ECONNREFUSED, after 12 ms\n',
    );
  });
});
