import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { HookStore } from '#consumers/webhooks/hook-store.ts';
import { promptRedis } from '#consumers/webhooks/redis-link.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ALERT_NAMES } from '#test/fixtures/alerts-in-haste.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { until } from '#test/fixtures/until.ts';
import { BY_PROMETHEUS, TOLD } from '#test/unit/infra/observability/known-metrics.ts';
import { HangingWorkers } from './hanging-workers.ts';
import { PREFIX, PROCESS_NAMES, useWatchedInstallation } from './watched-installation.ts';

/**
 * A real Prometheus on the alerts as they are shipped, but in a hurry, over real processes that
 * suffer: each alert fires and, after the repair, is over.
 */

/** Of a busy machine; most things are seen within three seconds. */
const TIMEOUT_MS = 60_000;

const watched = useWatchedInstallation();

function untilSeen(what: string, check: () => boolean | Promise<boolean>): Promise<number> {
  const told = async () => {
    const { processes, prometheus } = watched();
    const logs = Object.values(processes).map(({ log }) => log.slice(-4_000));
    const firing = await prometheus.query('ALERTS{alertstate="firing"}');
    return [what, ...logs, JSON.stringify(firing), prometheus.log].join('\n');
  };
  return until(check, TIMEOUT_MS, told, 200);
}

async function isTrue(expression: string): Promise<boolean> {
  const samples = await watched().prometheus.query(expression);
  return samples !== undefined && samples.length > 0;
}

/** What fired and is over by now counts as well. `labels`: that the alert has. */
async function fires(alert: string, sinceMs: number, labels = ''): Promise<void> {
  const firing = `ALERTS{alertname="${alert}",alertstate="firing",${labels}}`;
  await untilSeen(`${alert} fires`, () => {
    const seconds = Math.ceil((systemClock.monotonicMs() - sinceMs) / 1000) + 1;
    return isTrue(`count_over_time(${firing}[${seconds}s])`);
  });
}

async function nothingFires(): Promise<void> {
  await untilSeen('no alert fires', async () => {
    const samples = await watched().prometheus.query('ALERTS{alertstate="firing"}');
    return samples?.length === 0;
  });
}

function redisPlace() {
  const url = defined(watched().stack.redisUrl, 'the address of redis');
  return { redis: plainRedis(url), prefix: PREFIX };
}

async function addExport(id: string, output: string): Promise<void> {
  const queue = new JobQueue({ ...redisPlace(), kinds: KINDS, clock: systemClock });
  await queue.add('export', { format: 'csv', topic: 'detection', output }, id);
  queue.close();
}

async function resume(hookName: string): Promise<void> {
  const { redis, prefix } = redisPlace();
  const connection = await promptRedis(redis, systemClock);
  const store = new HookStore(connection, prefix, hookName, () => undefined);
  await store.resume();
  await store.close();
  connection.disconnect();
}

/** The pid of the consumer's engine, when it is another one. */
async function engineAfter(former: number | undefined): Promise<number> {
  const { inference } = watched().processes;
  const find = () => inference.children('engine-process').find((pid) => pid !== former);
  await untilSeen('there is an engine', () => find() !== undefined);
  return defined(find(), 'the engine');
}

/** A frame and a result that are none; then an engine that hangs, is killed, and dies again. */
async function poisonAndEngines(sinceMs: number): Promise<void> {
  const { broker, topics } = watched();
  const producer = await broker.openProducer();
  const poison = { key: 'gate', value: new Uint8Array(0), headers: {} };
  const names = [topics.frames.name, topics.results.detection.name];
  await producer.send(names.map((topic) => ({ topic, ...poison })));
  await producer.close();
  await fires('HalfsightDeadLetters', sinceMs);
  await fires('HalfsightResultsNotSent', sinceMs);
  const engine = await engineAfter(undefined);
  process.kill(engine, 'SIGSTOP');
  await fires('HalfsightLag', sinceMs);
  await fires('HalfsightConsumersSilent', sinceMs);
  process.kill(engine, 'SIGKILL');
  process.kill(await engineAfter(engine), 'SIGKILL');
  await fires('HalfsightEngineRestarts', sinceMs);
}

/** The poison is left out; then the topic that the bridge writes is deleted. */
async function bridgeWithoutItsTopic(sinceMs: number): Promise<void> {
  const { deleteBridged, createBridged } = watched();
  await fires('HalfsightResultsNotBridged', sinceMs);
  await deleteBridged();
  await fires('HalfsightBridgeBehind', sinceMs);
  await fires('HalfsightBridgeSilent', sinceMs);
  await createBridged();
}

async function receiversGoneAndFailing(sinceMs: number): Promise<void> {
  const { receivers } = watched();
  receivers.shop.manner = { status: 410 };
  receivers.desk.manner = { status: 503 };
  await fires('HalfsightWebhookParked', sinceMs, 'hook="shop"');
  await fires('HalfsightWebhookFailing', sinceMs, 'hook="desk"');
  for (const receiver of Object.values(receivers)) receiver.manner = 'accept';
  await Promise.all(['shop', 'desk'].map(resume));
}

/**
 * More workers than make an alert lose Redis, and their jobs with it; another one, which is to take
 * these up, is started while Kafka cannot be reached.
 */
async function jobsLostWaitingAndWrong(sinceMs: number): Promise<void> {
  const { stack, processes, lines, broker, folder } = watched();
  await processes.jobs.end('SIGTERM');
  lines.jobs.become({ state: 'cut' });
  processes.jobs.start();
  const redisUrl = defined(stack.redisUrl, 'the address of redis');
  const hanging = await HangingWorkers.start(3, { redisUrl, prefix: PREFIX, broker });
  for (const id of ['lost-1', 'lost-2', 'lost-3']) await addExport(id, join(folder, `${id}.csv`));
  await untilSeen('they have jobs', () => hanging.areBusy);
  hanging.cutOff();
  await addExport('doomed', '/nowhere/at/all.csv');
  await fires('HalfsightJobsWait', sinceMs);
  lines.jobs.become({ state: 'up' });
  await fires('HalfsightJobsFailing', sinceMs);
  await fires('HalfsightJobsStalled', sinceMs);
  await hanging.close();
}

/** More cameras than have series, some with too few bytes, and Kafka cannot be reached. */
async function agentCrowdedAndCutOff(sinceMs: number): Promise<void> {
  const { processes, lines, labelsOf, setCrowd } = watched();
  const labels = labelsOf('crowded');
  await processes.crowded.end('SIGTERM');
  lines.crowded.become({ state: 'cut' });
  setCrowd(LIMITS.metricCamerasMax + 2);
  processes.crowded.start();
  await fires('HalfsightAgentPublishesNothing', sinceMs, labels);
  await fires('HalfsightSpoolFilling', sinceMs, labels);
  // Before it is full: then frames would be lost.
  lines.crowded.become({ state: 'up' });
  await fires('HalfsightSeriesOverflow', sinceMs, labels);
  await fires('HalfsightDrops', sinceMs, `${labels},reason="over-byte-ceiling"`);
  await untilSeen('its spool is empty again', () => {
    return isTrue(`halfsight_agent_queue_length{queue="spool",${labels}} == 0`);
  });
  setCrowd(1);
  await processes.crowded.end('SIGTERM');
  processes.crowded.start();
}

/**
 * One camera is gone, and the other one there and silent. Neither can be had again before the
 * returned function is called, however soon the agent tries.
 */
function stopCameras(): () => void {
  const { folder, processes } = watched();
  const [silent] = processes.agent.children('yard.mp4');
  const pid = defined(silent, 'the program that reads the other one');
  const clips = ['gate.mp4', 'yard.mp4'].map((name) => join(folder, name));
  for (const clip of clips) renameSync(clip, `${clip}.away`);
  for (const gone of processes.agent.children('gate.mp4')) process.kill(gone, 'SIGKILL');
  process.kill(pid, 'SIGSTOP');
  return () => {
    for (const clip of clips) renameSync(`${clip}.away`, clip);
    // The agent kills one that has been silent for long.
    if (processes.agent.children('yard.mp4').includes(pid)) process.kill(pid, 'SIGCONT');
  };
}

it('all processes are up, ready and told of; nothing fires', async () => {
  const { processes, prometheus, labelsOf } = watched();
  for (const name of PROCESS_NAMES) {
    await untilSeen(`${name} is ready`, async () => {
      return (await processes[name].ask('/ready'))?.status === 200;
    });
    expect((await processes[name].ask('/startup'))?.status).toBe(200);
    expect((await processes[name].ask('/v2/health/live'))?.status).toBe(200);
  }
  for (const name of PROCESS_NAMES) {
    await untilSeen(`${name} is scraped`, async () => {
      if (!(await isTrue(`up{${labelsOf(name)}} == 1`))) return false;
      const [info] = (await prometheus.query(`halfsight_build_info{${labelsOf(name)}}`)) ?? [];
      return info !== undefined && info.labels.job === `halfsight-${info.labels.process}`;
    });
  }
  await untilSeen('results are delivered', () => isTrue('halfsight_webhooks_queue_out_total > 0'));
  await untilSeen('an exemplar leads to a trace', async () => {
    const ids = await prometheus.exemplars('halfsight_inference_frame_age_seconds_bucket');
    return ids.some((id) => /^[0-9a-f]{32}$/.test(id));
  });
  await nothingFires();
});

it('poison, engines, a bridge, receivers, jobs, and an agent with too much to do', async () => {
  const startMs = systemClock.monotonicMs();
  await Promise.all([
    poisonAndEngines(startMs),
    bridgeWithoutItsTopic(startMs),
    receiversGoneAndFailing(startMs),
    jobsLostWaitingAndWrong(startMs),
    agentCrowdedAndCutOff(startMs),
  ]);
  await nothingFires();
  const lost = 'max_over_time(halfsight_agent_frames_dropped_total{reason="spool-full"}[5m]) > 0';
  expect(await isTrue(lost)).toBe(false);
});

it('what is told is what metrics.md says, to the label', async () => {
  const told = (await watched().prometheus.series()).filter(({ __name__: name = '' }) => {
    return /^(halfsight|process|nodejs)_/.test(name);
  });
  const wrong = told.filter(({ __name__: name = '', ...labels }) => {
    const known = [...BY_PROMETHEUS, ...(TOLD.get(name) ?? ['nothing'])];
    // One that is empty is none, as Prometheus sees it.
    return Object.keys(labels).toSorted().join() !== known.toSorted().join();
  });
  expect(wrong).toEqual([]);
  const names = new Set(told.map(({ __name__: name }) => name));
  // No wall runs here.
  const absent = /^(up|ALERTS|halfsight_wall_\w+)$/;
  const missing = [...TOLD.keys()].filter((name) => !names.has(name) && !absent.test(name));
  expect(missing).toEqual([]);
});

it('cameras that are gone or silent, a consumer that is killed, and Redis', async () => {
  const { processes, stack } = watched();
  const startMs = systemClock.monotonicMs();
  const bringBackCameras = stopCameras();
  await processes.inference.end('SIGKILL');
  await stack.kill('redis', 0, { supervised: false });
  await fires('HalfsightProcessDown', startMs);
  await fires('HalfsightRedisAway', startMs);
  await fires('HalfsightCamerasOffline', startMs);
  expect((await processes.jobs.ask('/ready'))?.status).toBe(503);
  expect((await processes.jobs.ask('/live'))?.status).toBe(200);
  processes.inference.start();
  await stack.restart('redis');
  await fires('HalfsightCameraSilent', startMs, 'camera_id="yard"');
  await fires('HalfsightAgentCapturesNothing', startMs);
  bringBackCameras();
  await nothingFires();
});

it('each alert has fired', async () => {
  const fired = await watched().prometheus.query(
    'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))',
  );
  const names = fired?.map(({ labels }) => labels.alertname);
  expect(names?.toSorted()).toEqual(ALERT_NAMES.toSorted());
});
