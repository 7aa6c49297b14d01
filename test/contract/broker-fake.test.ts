import { seededRandom } from '#runtime/random.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';
import { brokerContract } from './broker.ts';

brokerContract(() => {
  const time = new VirtualClock();
  const random = seededRandom(1);
  const host = new Host('trial', time);
  return {
    broker: connectTo(new Cluster(time, random), host, random),
    clock: host.clock,
    prefix: 'contract',
    drive: (work) => time.drive(work),
  };
});
