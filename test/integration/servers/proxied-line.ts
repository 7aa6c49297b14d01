import { afterAll, afterEach, beforeAll } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import type { LocalStack } from '#infra/local/stack.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { startTestStack } from '#test/integration/start-stack.ts';

/** A broker of its own for a test file, and the line to it, over which its agents' bytes go. */
export interface ProxiedLine {
  readonly proxy: NetworkProxy;
  /** Past the line. */
  readonly broker: Broker;
  /** Publishes over the line, with the topics of `prefix`; ended at the latest after the test. */
  startAgent(options: { config: string; prefix: string; bundle?: string }): AgentProcess;
}

/** Call it at the top of the file; the returned function gives the line inside tests. */
export function useProxiedLine(): () => ProxiedLine {
  let line: (ProxiedLine & { readonly stack: LocalStack }) | undefined;
  let agents: AgentProcess[] = [];
  beforeAll(async () => {
    const [port = 0] = await choosePorts(1, [], seededRandom(freshSeed()));
    const stack = await startTestStack({ redis: false, advertisedPorts: [port] });
    const behind = defined(stack.proxied[0], 'the listener behind the proxy');
    const proxy = new NetworkProxy(Number(behind.split(':')[1]));
    await proxy.listen(port);
    const settings = { brokers: stack.brokers, clientId: 'test', tls: undefined, sasl: undefined };
    const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
    const startAgent: ProxiedLine['startAgent'] = (options) => {
      const agent = new AgentProcess({ ...options, brokers: [`127.0.0.1:${port}`] });
      agents.push(agent);
      return agent;
    };
    line = { stack, proxy, broker, startAgent };
  });
  afterEach(async ({ task }) => {
    for (const agent of agents) {
      await agent.stop('SIGKILL');
      if (task.result?.state === 'fail') process.stderr.write(agent.log);
    }
    agents = [];
  });
  afterAll(async () => {
    await line?.broker.close();
    await line?.proxy.close();
    await line?.stack.stop();
  });
  return () => defined(line, 'the line, which is there before the first test,');
}
