import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { systemClock } from '#runtime/clock.ts';
import { createLogger } from '#runtime/log.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';

/**
 * An agent with stub pixels, as a process that can be killed: every 200 ms it sends its parent a
 * frame, camera and epoch, of each camera that it owns at that moment.
 *
 *     node test/integration/fleet-member-main.ts REDIS_URL PREFIX AGENT_ID CAMERAS_MAX
 */
const [url = '', prefix = '', agentId = '', camerasMax = ''] = process.argv.slice(2);
const redis = plainRedis(url);
const epochs = new Map<string, number>();
const agent = new FleetAgent({
  profile: { agentId, camerasMax: Number(camerasMax), framesPerSecondMax: 10_000 },
  registry: new RedisRegistry({ redis, prefix, clock: systemClock }),
  hooks: {
    onAcquired: ({ id }) => void epochs.set(id, agent.epochNow()),
    onChanged: () => undefined,
    onLost: async (cameraId) => void epochs.delete(cameraId),
    liveOf: () => ({
      state: 'online',
      lastFrameAgeMs: 10,
      framesPerSecond: 5,
      bytesPerFrame: 2_000,
      dropped: {},
      detail: '',
    }),
  },
  clock: systemClock,
  logger: createLogger({ level: 'warn', format: 'text' }),
});
process.on('disconnect', () => process.exit());
agent.start();
systemClock.every(200, () => {
  // First: one that is stopped in between asks later whether they are its own.
  const atMs = systemClock.nowUs() / 1000;
  const frames = [...epochs].filter(([cameraId]) => agent.ownsNow(cameraId));
  process.send?.({ atMs, frames });
});
