import assert from 'node:assert/strict';
import { systemClock } from '#runtime/clock.ts';
import { CHART, type KubernetesObject, objectsOf, RELEASE, valuesFile } from '../chart.ts';
import type { ControlPlane } from './control-plane.ts';
import { NAMESPACE, rendered } from './manifests.ts';

const LOOK_MS = 100;
const HELM = ['--namespace', NAMESPACE, '--timeout', '60s'];

/** Objects of the namespace, Helm's own aside: their resource versions by kind and name. */
type Objects = ReadonlyMap<string, string>;

interface LiveObject extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly resourceVersion: string };
  readonly type?: string;
}

/** A hook of the chart, and what was in the namespace when it ran, Jobs aside. */
interface HookRun {
  readonly job: string;
  readonly places: readonly string[];
}

interface Wanted {
  readonly objects: readonly string[];
  readonly hooks: readonly string[];
  readonly workloads: readonly string[];
}

/** Installed, upgraded without and with a change, and uninstalled; throws where that is amiss. */
export async function livesThrough(cluster: ControlPlane, name: string): Promise<void> {
  const before = await objectsOfNamespace(cluster);
  const wanted = wantedOf(await rendered(cluster, name));
  const values = ['-f', valuesFile(name)];

  const first = await withHooks(cluster, ['install', RELEASE, CHART, ...values]);
  assert.deepEqual(
    first.map(({ job }) => job),
    wanted.hooks,
  );
  for (const { job, places } of first) {
    assert.deepEqual(places, [...before.keys()], `nothing is there before ${job} has ended`);
  }
  const installed = await objectsOfNamespace(cluster);
  assert.deepEqual(namesOf(installed, before), wanted.objects);

  await withHooks(cluster, ['upgrade', RELEASE, CHART, ...values]);
  const same = await objectsOfNamespace(cluster);
  assert.deepEqual(changed(installed, same), [], 'an upgrade to the same touches nothing');

  await withHooks(cluster, ['upgrade', RELEASE, CHART, ...values, '--set', 'logs.level=debug']);
  const upgraded = await objectsOfNamespace(cluster);
  assert.deepEqual(changed(same, upgraded), wanted.workloads);

  await cluster.mustRun('helm', ['uninstall', RELEASE, ...HELM]);
  assert.deepEqual(changed(before, await objectsOfNamespace(cluster)), [], 'nothing is left');
}

/** One release that goes from one of values/ to the next; each time the objects are those of it. */
export async function goesThrough(cluster: ControlPlane, names: readonly string[]): Promise<void> {
  const before = await objectsOfNamespace(cluster);
  for (const name of names) {
    const values = ['--install', '-f', valuesFile(name)];
    await withHooks(cluster, ['upgrade', RELEASE, CHART, ...values]);
    const { objects } = wantedOf(await rendered(cluster, name));
    assert.deepEqual(namesOf(await objectsOfNamespace(cluster), before), objects, name);
  }
  await cluster.mustRun('helm', ['uninstall', RELEASE, ...HELM]);
  assert.deepEqual(changed(before, await objectsOfNamespace(cluster)), [], 'nothing is left');
}

function wantedOf(text: string): Wanted {
  const hookOf = ({ metadata }: KubernetesObject) => metadata.annotations?.['helm.sh/hook'];
  const weightOf = ({ metadata }: KubernetesObject) =>
    Number(metadata.annotations?.['helm.sh/hook-weight']);
  const all = objectsOf([text]);
  const objects = all.filter((object) => hookOf(object) === undefined);
  const hooks = all.filter((object) => hookOf(object) !== undefined);
  return {
    objects: objects.map(placeOf).sort(),
    hooks: hooks.sort((a, b) => weightOf(a) - weightOf(b)).map(({ metadata }) => metadata.name),
    workloads: objects
      .filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind))
      .map(placeOf)
      .sort(),
  };
}

function placeOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}

async function objectsOfNamespace(cluster: ControlPlane): Promise<Objects> {
  const kinds = await cluster.mustRun('kubectl', [
    ...['api-resources', '--namespaced', '--verbs=list,delete', '--output=name'],
  ]);
  const items = await list(cluster, kinds.trim().split('\n').join(','));
  return new Map(
    items
      // Events are what the API server itself tells, of the addresses of Services for example.
      .filter(({ kind, type }) => type !== 'helm.sh/release.v1' && kind !== 'Event')
      .map((item) => [placeOf(item), item.metadata.resourceVersion]),
  );
}

async function list(cluster: ControlPlane, kinds: string): Promise<readonly LiveObject[]> {
  const args = ['get', kinds, '--namespace', NAMESPACE, '--output=json'];
  const { items } = JSON.parse(await cluster.mustRun('kubectl', args)) as { items: LiveObject[] };
  return items;
}

/** Those that were not there before. */
function namesOf(objects: Objects, before: Objects): readonly string[] {
  return [...objects.keys()].filter((place) => !before.has(place)).sort();
}

/** Those that came, went or were written. */
function changed(before: Objects, after: Objects): readonly string[] {
  const places = new Set([...before.keys(), ...after.keys()]);
  return [...places].filter((place) => before.get(place) !== after.get(place)).sort();
}

/**
 * Runs Helm. There is no kubelet that would run the Jobs of hooks, for which Helm waits: they are
 * reported complete here, in the order in which they come.
 */
async function withHooks(
  cluster: ControlPlane,
  args: readonly string[],
): Promise<readonly HookRun[]> {
  let isRunning = true;
  const helm = cluster.mustRun('helm', [...args, ...HELM]).finally(() => {
    isRunning = false;
  });
  // Awaited below, when the last look is over.
  helm.catch(() => undefined);
  const runs: HookRun[] = [];
  while (isRunning) {
    for (const job of await list(cluster, 'jobs')) {
      if ((job.status as { completionTime?: string }).completionTime !== undefined) continue;
      const places = [...(await objectsOfNamespace(cluster)).keys()];
      const others = places.filter((place) => !place.startsWith('Job '));
      runs.push({ job: job.metadata.name, places: others });
      await complete(cluster, job.metadata.name);
    }
    await systemClock.sleep(LOOK_MS);
  }
  await helm;
  return runs;
}

async function complete(cluster: ControlPlane, job: string): Promise<void> {
  const now = new Date().toISOString();
  const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: now });
  const status = {
    ...{ startTime: now, completionTime: now, succeeded: 1 },
    conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
  };
  const patch = ['--type=merge', '--patch', JSON.stringify({ status })];
  const place = ['job', job, '--namespace', NAMESPACE, '--subresource=status'];
  await cluster.mustRun('kubectl', ['patch', ...place, ...patch]);
}
