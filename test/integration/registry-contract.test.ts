import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { systemClock } from '#runtime/clock.ts';
import { registryContract } from '#test/contract/registry.ts';
import { sharedStack } from './stack.ts';

const { redisUrl: url, prefix } = sharedStack('registry');
const redis = { url, password: undefined, tlsCaFile: undefined };
let opened = 0;

registryContract(() => ({
  open: () => new RedisRegistry({ redis, prefix: `${prefix}-${opened++}`, clock: systemClock }),
  clock: systemClock,
  drive: (work) => work,
}));
