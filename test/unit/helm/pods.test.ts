import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readBridgeArguments } from '#consumers/bridge/arguments.ts';
import { INFERENCE_METRICS } from '#consumers/inference/metric-tables.ts';
import { parseHooks } from '#consumers/webhooks/hooks-file.ts';
import { readArguments } from '#infra/acls/arguments.ts';
import { COMMANDS } from '#infra/command/commands.ts';
import { parseAgentSettings } from '#producers/camera/settings.ts';
import { defined } from '#runtime/assert.ts';
import { ConfigFile } from '#runtime/config-file.ts';
import { HEALTH_PATHS } from '#runtime/health-server.ts';
import { LIMITS } from '#runtime/limits.ts';
import { VARIABLES } from '#runtime/settings.ts';
import { topicTable } from '#schemas/topics.ts';
import { CHART, GOLDEN, type KubernetesObject, valuesNames } from '#test/helm/chart.ts';

/** What must hold of whatever the chart makes, judged from golden/. */

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: unknown;
  readonly resources: { readonly limits?: Readonly<Record<string, unknown>> };
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly secret?: object }[];
  readonly securityContext: unknown;
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly runtimeClassName?: string;
}

interface Found {
  readonly object: KubernetesObject;
  readonly pod: PodSpec;
}

const objectsOf = new Map(
  valuesNames().map((name) => {
    const documents = parseAllDocuments(readFileSync(join(GOLDEN, `${name}.yaml`), 'utf8'));
    return [name, documents.map((document) => document.toJS() as KubernetesObject)] as const;
  }),
);
const ALL = [...objectsOf.values()].flat();
const SECONDS = 1 / 1000;

const pods: readonly Found[] = ALL.flatMap((object) => {
  const template = (object.spec as { template?: { spec: PodSpec } } | undefined)?.template;
  return template === undefined ? [] : [{ object, pod: template.spec }];
});
const services = pods.filter(({ object }) => object.kind !== 'Job');
const objects = (name: string) => defined(objectsOf.get(name), `golden/${name}.yaml`);
const config = (name: string, component: string) => {
  const found = objects(name).find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === `halfsight-${component}`,
  );
  const [text] = Object.values(defined(found, component).data as Readonly<Record<string, string>>);
  return defined(text, `the file of ${component}`);
};

describe('pods of the chart', () => {
  it('keep to the restricted profile, on a root that nobody can write', () => {
    expect(pods.length).toBeGreaterThan(40);
    for (const { pod } of pods) {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10_001,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(pod.automountServiceAccountToken).toBe(false);
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits).toHaveProperty('memory');
        expect(container.resources.limits).toHaveProperty('ephemeral-storage');
      }
    }
  });

  it('have time to drain: what any process takes at most, after what their Service needs', () => {
    for (const { object, pod } of services) {
      const [container] = pod.containers;
      const stopSeconds = container?.lifecycle?.preStop.sleep.seconds ?? 0;
      const grace = defined(pod.terminationGracePeriodSeconds, object.metadata.name);
      expect(grace).toBeGreaterThanOrEqual(LIMITS.shutdownTimeoutMs * SECONDS + stopSeconds);
    }
    const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));
    const { minimum } = schema.definitions.terminationGracePeriodSeconds;
    expect(minimum).toBe(LIMITS.shutdownTimeoutMs * SECONDS + 5);
  });

  it('have probes that processes answer, and time to start', () => {
    for (const { object, pod } of services) {
      for (const { startupProbe, livenessProbe, readinessProbe } of pod.containers) {
        const start = defined(startupProbe, 'a start-up probe');
        const live = defined(livenessProbe, 'a liveness probe');
        const ready = defined(readinessProbe, 'a readiness probe');
        // An agent has work to do while Kafka is away, also when it starts.
        const isAgent = object.metadata.name.endsWith('-agent');
        expect(HEALTH_PATHS[start.httpGet.path]).toBe(isAgent ? 'live' : 'startup');
        expect(HEALTH_PATHS[live.httpGet.path]).toBe('live');
        expect(HEALTH_PATHS[ready.httpGet.path]).toBe('ready');
        // The engine opens, then the group is joined; the other processes have less to do.
        const needed = (LIMITS.engineOpenTimeoutMs + LIMITS.joinTimeoutMs) * SECONDS;
        const seconds = start.periodSeconds * start.failureThreshold;
        expect(seconds, object.metadata.name).toBeGreaterThanOrEqual(needed);
        // Kubernetes calls a Deployment failed after ten minutes without one more, unless told.
        const { progressDeadlineSeconds = 600 } = object.spec as Record<string, number>;
        expect(progressDeadlineSeconds, object.metadata.name).toBeGreaterThan(seconds);
      }
    }
  });

  it('have variables that there are, and no password among them', () => {
    const known = (name: string) => Object.hasOwn(VARIABLES, name) || name.startsWith('OTEL_');
    for (const { pod } of pods) {
      for (const { env, name } of pod.containers) {
        const names = env.map((variable) => variable.name);
        expect(names.filter((one) => !known(one))).toEqual([]);
        expect(new Set(names).size, name).toBe(names.length);
        expect(names.filter((one) => /(PASSWORD|TOKEN)$/.test(one))).toEqual([]);
      }
    }
    expect(ALL.filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  it('have every file that a variable names, from Secrets that exist', () => {
    const named = new Set<string>();
    for (const { pod } of pods) {
      const secrets = pod.volumes.filter(({ secret }) => secret !== undefined);
      for (const { name, env, volumeMounts } of pod.containers) {
        for (const { name: variable, value } of env) {
          if (!variable.endsWith('_FILE')) continue;
          named.add(variable);
          const mount = volumeMounts.find(({ mountPath }) => value?.startsWith(`${mountPath}/`));
          const found = secrets.some((volume) => volume.name === mount?.name);
          expect(found, `${variable} of ${name}`).toBe(true);
        }
      }
    }
    const files = Object.keys(VARIABLES).filter((variable) => variable.endsWith('_FILE'));
    expect([...named].sort()).toEqual(files.sort());
  });

  it('can all speak to the schema registry, the Job that registers too', () => {
    const wanted = ['SCHEMA_REGISTRY_TLS_CA_FILE', 'SCHEMA_REGISTRY_TOKEN_FILE'];
    const templates = objects('everything').filter(
      ({ spec }) => (spec as { template?: object } | undefined)?.template !== undefined,
    );
    expect(templates.map(({ metadata }) => metadata.name)).toContain('halfsight-topics');
    for (const { metadata, spec } of templates) {
      const [container] = (spec as { template: { spec: PodSpec } }).template.spec.containers;
      const names = container?.env.map(({ name }) => name);
      expect(names, metadata.name).toEqual(expect.arrayContaining(wanted));
    }
  });

  it('run images that the Dockerfile makes', () => {
    const path = join(CHART, '..', '..', 'infra', 'images', 'Dockerfile');
    const targets = [...readFileSync(path, 'utf8').matchAll(/^FROM process AS (\S+)$/gm)];
    const known = targets.map(([, target]) => target);
    for (const { pod } of pods) {
      for (const { image } of pod.containers) {
        const [, target] = /\/halfsight-([a-z-]+)[:@]/.exec(image) ?? [];
        expect(known).toContain(target);
      }
    }
  });

  it('of bridges say what `npx halfsight bridge` takes, and each has its own', () => {
    const orders = services
      .filter(({ object }) => /-bridge-/.test(object.metadata.name))
      .map(({ pod }) => {
        const [name, ...args] = defined(pod.containers[0]?.args, 'arguments');
        expect(COMMANDS.map((command) => command.name)).toContain(name);
        return readBridgeArguments(args, []);
      });
    expect(orders).toMatchObject([
      { task: 'detection', format: { name: 'onvif' }, to: 'site.onvif', from: 'earliest' },
      ...Array(2).fill({ format: { name: 'nv-frame' }, to: 'mdx-raw', from: 'latest' }),
    ]);
    const acls = pods.find(({ object }) => object.metadata.name === 'halfsight-acls');
    const { users, bridgedTopics } = readArguments(acls?.pod.containers[0]?.args?.slice(1) ?? []);
    expect(users).toContainEqual({ role: 'bridge', user: 'metropolis' });
    expect(bridgedTopics).toEqual(['mdx-raw']);
  });

  it('have GPUs, their runtime and the CUDA image together, or none of these', () => {
    for (const { pod } of services) {
      const [container] = pod.containers;
      const limits = container?.resources.limits ?? {};
      const isCuda = container?.image.includes('consumer-cuda') ?? false;
      expect('nvidia.com/gpu' in limits).toBe(isCuda);
      const provider = container?.env.find(({ name }) => name === 'HALFSIGHT_PROVIDER')?.value;
      if (provider !== undefined) expect(provider).toBe(isCuda ? 'cuda' : 'cpu');
    }
    expect(services.some(({ pod }) => pod.runtimeClassName === 'nvidia')).toBe(true);
  });
});

describe('objects of the chart', () => {
  it.each(valuesNames())('of values/%s.yaml have names of their own', (name) => {
    const places = objects(name).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(places).size).toBe(places.length);
    expect(places.filter((place) => (place.split(' ')[1] ?? '').length > 63)).toEqual([]);
  });

  it.each(valuesNames())('of values/%s.yaml: one thing at most scales a Deployment', (name) => {
    const scalers = objects(name)
      .filter(({ kind }) => ['ScaledObject', 'HorizontalPodAutoscaler'].includes(kind))
      .map(({ spec }) => (spec as { scaleTargetRef: { name: string } }).scaleTargetRef.name);
    expect(new Set(scalers).size).toBe(scalers.length);
    const deployments = objects(name).filter(({ kind }) => kind === 'Deployment');
    for (const { metadata, spec } of deployments) {
      // Where something scales, nobody sets the number with each upgrade.
      expect('replicas' in (spec as object)).toBe(!scalers.includes(metadata.name));
    }
  });

  it('scale by metrics and a topic that there are, with at most one replica a partition', () => {
    const scaled = ALL.filter(({ kind }) => kind === 'ScaledObject');
    expect(scaled.length).toBeGreaterThanOrEqual(3);
    const { counters, gauges } = INFERENCE_METRICS;
    const names = Object.values({ ...counters, ...gauges }).map((metric) => metric.name);
    for (const { spec } of scaled) {
      const { triggers, minReplicaCount } = spec as {
        minReplicaCount: number;
        triggers: readonly { readonly metadata: Readonly<Record<string, string>> }[];
      };
      expect(minReplicaCount).toBeGreaterThanOrEqual(1);
      const queries = triggers.flatMap(({ metadata }) => metadata.query ?? []);
      const asked = queries.map((query) => /halfsight_\w+/.exec(query)?.[0] ?? '');
      expect(asked.filter((one) => !names.some((name) => name === one))).toEqual([]);
      expect(asked).toContain('halfsight_inference_lag_seconds');
      const topics = triggers.flatMap(({ metadata }) => metadata.topic ?? []);
      expect(topics).toEqual([topicTable().frames.name]);
    }
    for (const [name, found] of objectsOf) {
      for (const { spec } of found.filter(({ kind }) => kind === 'ScaledObject')) {
        const { maxReplicaCount } = spec as { maxReplicaCount: number };
        const values = parse(
          readFileSync(join(GOLDEN, '..', 'values', `${name}.yaml`), 'utf8'),
        ) as { kafka: { partitions: number } };
        expect(maxReplicaCount).toBeLessThanOrEqual(values.kafka.partitions);
      }
    }
  });

  it('let evictions take one pod at a time', () => {
    const names = (kind: string) =>
      ALL.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
    const guarded = new Set(names('PodDisruptionBudget'));
    const replicated = [...names('Deployment'), ...names('StatefulSet')].filter(
      // One that stays one by design.
      (name) => !name.endsWith('-wall'),
    );
    expect(replicated.filter((name) => !guarded.has(name))).toEqual([]);
  });
});

describe('files that the chart writes', () => {
  it('an agent takes them', () => {
    for (const name of ['everything', 'edge-agents']) {
      const file = new ConfigFile('agent.yaml', config(name, 'agent'), 'the manual');
      const environment = {
        bundleDirectory: '/bundle',
        kafkaBrokers: ['kafka:9092'],
        topicPrefix: 'halfsight',
        lookup: (variable: string) => (variable.endsWith('_PASSWORD') ? 'secret' : undefined),
      };
      const settings = parseAgentSettings(file, '/etc/halfsight', environment);
      expect(settings.spool?.directory).toBe('/spool');
      expect(settings.fleet !== undefined || settings.cameras.length > 0).toBe(true);
    }
  });

  it('the worker of webhooks takes them, up to secrets that only a cluster has', () => {
    const file = new ConfigFile('webhooks.yaml', config('everything', 'webhooks'), 'the manual');
    const read = () => parseHooks(file, '/etc/halfsight');
    expect(existsSync('/etc/halfsight/shop.secret')).toBe(false);
    expect(read).toThrow(/1 mistake|shop\.secret/);
    expect(read).toThrow(/secretFile/);
  });
});
