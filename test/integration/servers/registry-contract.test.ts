import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { registryContract } from '#test/contract/registry.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { useStack } from '#test/integration/stack.ts';

const stack = useStack({ brokerCount: 0 });
let opened = 0;

registryContract(() => {
  const url = defined(stack().redisUrl, 'the address of redis');
  const redis = plainRedis(url);
  return {
    open: () => new RedisRegistry({ redis, prefix: `registry-${opened++}`, clock: systemClock }),
    clock: systemClock,
    drive: (work) => work,
  };
}, true);
