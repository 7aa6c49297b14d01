import { expect, it } from 'vitest';
import { readArguments } from '#infra/acls/arguments.ts';

it('takes any number of users of each role', () => {
  const args = ['--camera', 'gate', '--camera', 'yard', '--subscriber', 'shop', '--group', 'shop-'];
  expect(readArguments(args)).toEqual({
    users: [
      { role: 'camera', user: 'gate' },
      { role: 'camera', user: 'yard' },
      { role: 'subscriber', user: 'shop' },
    ],
    subscriberGroups: ['shop-'],
    bridgedTopics: [],
    ...{ change: 'grant', dryRun: false, help: false },
  });
  expect(readArguments(['--bridge', 'b', '--to', 'mdx-raw', '--to', 'onvif'])).toMatchObject({
    ...{ users: [{ role: 'bridge', user: 'b' }], bridgedTopics: ['mdx-raw', 'onvif'] },
  });
  const revoking = readArguments(['--operator', 'ops', '--revoke', '--dry-run']);
  expect(revoking).toMatchObject({ change: 'revoke', dryRun: true });
});

it.each([
  ['nobody', []],
  ['a user without a name', ['--camera', '']],
  // It would allow every group, that of the inference consumers among them.
  ['an empty prefix of groups', ['--subscriber', 'shop', '--group', '']],
  ['groups for nobody', ['--camera', 'gate', '--group', 'shop-']],
  ['a topic without a name', ['--bridge', 'bridge', '--to', '']],
  ['topics for nobody', ['--subscriber', 'shop', '--to', 'mdx-raw']],
  ['an unknown option', ['--admin', 'me']],
  ['a stray word', ['gate']],
])('refuses %s', (_, args) => {
  expect(() => readArguments(args)).toThrow(expect.objectContaining({ code: 'usage-invalid' }));
});
