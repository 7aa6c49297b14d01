import { seededRandom } from '#runtime/random.ts';
import { Host } from '#test/simulation/host.ts';
import { RegistryLink } from '#test/simulation/registry/registry-link.ts';
import { RegistryServer } from '#test/simulation/registry/registry-server.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';
import { registryContract } from './registry.ts';

registryContract(() => {
  const time = new VirtualClock();
  const host = new Host('trial', time);
  return {
    open: () => new RegistryLink(new RegistryServer(time), time, seededRandom(1)).open(host),
    clock: host.clock,
    drive: (work) => time.drive(work),
  };
}, false);
