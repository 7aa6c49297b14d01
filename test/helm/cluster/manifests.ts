import assert from 'node:assert/strict';
import { CHART, type KubernetesObject, objectsOf, RELEASE, valuesFile } from '../chart.ts';
import type { ControlPlane, Said } from './control-plane.ts';

/** The namespace of all checks: pods in it must keep to the restricted profile. */
export const NAMESPACE = 'vision';
const STRICT = ['--dry-run=server', '--validate=strict', '--namespace', NAMESPACE, '-f', '-'];

/** What a cluster has before the chart comes, or values name that exists. */
export async function prepare(cluster: ControlPlane, crds: readonly string[]): Promise<void> {
  for (const file of crds) await cluster.mustRun('kubectl', ['apply', '--server-side', '-f', file]);
  await cluster.mustRun('kubectl', ['wait', '--for=condition=Established', 'crd', '--all']);
  const profile = (mode: string) => ({ [`pod-security.kubernetes.io/${mode}`]: 'restricted' });
  const labels = { ...profile('enforce'), ...profile('warn') };
  const account = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: NAMESPACE },
  });
  await create(cluster, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } },
    // A controller makes it elsewhere.
    account('default'),
    // Of values/own-bundle.yaml, gpu.yaml and msk.yaml.
    account('vision'),
    {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'nvidia' },
      handler: 'nvidia',
    },
    {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'vision' },
      value: 1000,
    },
  ]);
}

async function create(cluster: ControlPlane, items: readonly KubernetesObject[]): Promise<void> {
  await cluster.mustRun('kubectl', ['create', '--validate=strict', '-f', '-'], listOf(items));
}

function listOf(items: readonly KubernetesObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

/** What `helm template` prints with a file of values/. */
export function rendered(cluster: ControlPlane, name: string): Promise<string> {
  const values = ['-f', valuesFile(name)];
  const place = ['--namespace', NAMESPACE];
  return cluster.mustRun('helm', ['template', RELEASE, CHART, ...place, ...values]);
}

/** The server takes all objects, and has no warning about any; resolves with their number. */
export async function takesObjects(cluster: ControlPlane, text: string): Promise<number> {
  const { length } = objectsOf([text]);
  taken(await cluster.run('kubectl', ['apply', ...STRICT], text), length);
  return length;
}

/** The same of pods, as controllers would make them: admission judges pods, not their templates. */
export async function takesPods(cluster: ControlPlane, text: string): Promise<number> {
  const pods = objectsOf([text]).flatMap(podsOf);
  taken(await cluster.run('kubectl', ['create', ...STRICT], listOf(pods)), pods.length);
  return pods.length;
}

function taken({ status, stdout, stderr }: Said, count: number): void {
  if (status !== 0 || stderr !== '') throw new Error(`the server says: ${stderr}`);
  assert.equal(stdout.trim().split('\n').length, count);
}

interface Workload {
  readonly template?: {
    readonly metadata: object;
    readonly spec: { readonly volumes: readonly object[] };
  };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

function podsOf({ metadata, spec }: KubernetesObject): readonly KubernetesObject[] {
  const { template, volumeClaimTemplates = [] } = (spec ?? {}) as Workload;
  if (template === undefined) return [];
  const claims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: `${name}-0` },
  }));
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name: metadata.name },
      spec: { ...template.spec, volumes: [...template.spec.volumes, ...claims] },
    },
  ];
}

/** One mistake in what values/keda.yaml gives, and what the server must say of it. */
const MISTAKES: readonly (readonly [from: string, to: string, says: RegExp])[] = [
  ['readOnlyRootFilesystem', 'readOnlyRootFs', /unknown field .*readOnlyRootFs/],
  ['minReadySeconds: 10', 'minReadySeconds: soon', /minReadySeconds/],
  ['pollingInterval: 15', 'pollingIntervals: 15', /unknown field "spec.pollingIntervals"/],
  ['pollingInterval: 15', 'pollingInterval: often', /spec.pollingInterval.* must be .*integer/],
  ['jobLabel: ', 'labelOfJob: ', /unknown field "spec.labelOfJob"/],
  ['protocol: UDP', 'protocol: ICMP', /Unsupported value: "ICMP"/],
  ['AlwaysAllow', 'Always', /unhealthyPodEvictionPolicy/],
  ['drop:', 'add:', /would violate PodSecurity/],
];

/** So that nobody takes a server that takes everything for a proof; resolves with their number. */
export async function findsMistakes(cluster: ControlPlane): Promise<number> {
  const text = await rendered(cluster, 'keda');
  for (const [from, to, says] of MISTAKES) {
    const wrong = text.replaceAll(from, to);
    assert.notEqual(wrong, text, `values/keda.yaml gives no ${from}`);
    await assert.rejects(takesObjects(cluster, wrong), says, to);
  }
  const privileged = text.replaceAll('runAsNonRoot: true', 'runAsNonRoot: false');
  await assert.rejects(takesPods(cluster, privileged), /violates PodSecurity "restricted/);
  return MISTAKES.length + 1;
}
