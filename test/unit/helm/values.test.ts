import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { FRAME_FORMATS } from '#consumers/export/frame-formats.ts';
import { ROLES } from '#infra/acls/roles.ts';
import {
  CHART,
  readValues,
  render,
  type Values,
  valuesNames,
  WITHOUT_HELM,
} from '#test/helm/chart.ts';

const DEFAULTS = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;
const SCHEMA = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Values;
const validate = new Ajv({ allErrors: true, strict: false }).compile(SCHEMA);

/** What Helm makes of a file and the chart's own values: maps are merged, null takes away. */
function merged(defaults: Values, given: Values): Values {
  const result: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const known = result[key];
    if (value === null) delete result[key];
    else if (isMap(known) && isMap(value)) result[key] = merged(known, value);
    else result[key] = value;
  }
  return result;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Paths of what the schema refuses in these values, over those of minimal.yaml. */
function refused(given: Values): readonly string[] {
  const isValid = validate(merged(DEFAULTS, merged(readValues('minimal'), given)));
  const places = (validate.errors ?? []).map(({ instancePath, params }) =>
    [instancePath, params.additionalProperty].filter((part) => part !== undefined).join('/'),
  );
  return isValid ? [] : [...new Set(places)];
}

/** `{'a.b': 1}` is `{a: {b: 1}}`. */
function at(path: string, value: unknown): Values {
  const [key = '', ...rest] = path.split('.');
  return { [key]: rest.length === 0 ? value : at(rest.join('.'), value) };
}

const BRIDGE = { format: 'nv-frame', topic: 'detection', to: 'mdx-raw' };
/** Values of such a bridge and of others. */
const bridges = (change: object, others: object = {}): Values => ({
  bridges: { enabled: true, groups: { mdx: { ...BRIDGE, ...change }, ...others } },
});
const DIGEST = `sha256:${'0'.repeat(64)}`;
const REFUSED_BY_SCHEMA: readonly (readonly [path: string, value: unknown, says: string])[] = [
  ['kafca', {}, "at '': additional properties 'kafca' not allowed"],
  ['inference.replicsa', 3, "at '/inference': additional properties 'replicsa' not allowed"],
  [
    'inference.autoscaling.kind',
    'both',
    "at '/inference/autoscaling/kind': value must be one of 'none', 'keda', 'hpa'",
  ],
  ['inference.autoscaling.minReplicas', 0, "at '/inference/autoscaling/minReplicas': minimum"],
  ['inference.provider', 'tensorrt', "value must be one of 'cpu', 'cuda'"],
  ['inference.groups.masks', { heads: 'segmentation' }, 'got string, want array'],
  ['common.terminationGracePeriodSeconds', 10, 'minimum: got 10, want 25'],
  [
    'kafka.sasl.password',
    'secret',
    "value must be 'left out. Values are no place for passwords: make a Secret and name it in " +
      "kafka.sasl.existingSecret'",
  ],
  ['redis.password', 'secret', 'make a Secret and name it in redis.existingSecret'],
  ['schemaRegistry.token', 'secret', 'make a Secret and name it in schemaRegistry.tokenSecret'],
  ['wall.token', 'secret', 'make a Secret and name it in wall.tokenSecret'],
  ['control.token', 'secret', 'make a Secret and name it in control.tokenSecret'],
  ['wall.replicas', 2, 'There is one wall: what it remembers is its own'],
  [
    'kafka.sasl.mechanism',
    'SCRAM-SHA-512',
    "value must be one of '', 'plain', 'scram-sha-256', 'scram-sha-512'",
  ],
  ['kafka.partitions', 0, "at '/kafka/partitions': minimum: got 0, want 1"],
  ['image.digests', { consumer: 'sha256:abc' }, 'does not match pattern'],
  ['image.digests', { consumers: DIGEST }, "value must be one of 'agent', 'consumer'"],
  ['health.port', 70000, "at '/health/port': maximum"],
  ['wall.resources', { limits: { memory: '2 GB' } }, "at '/wall/resources/limits/memory'"],
  [
    'agent.config',
    { camera: [] },
    "at '/agent/config': additional properties 'camera' not allowed",
  ],
  [
    'bridges.groups.mdx',
    { format: 'onvif', topic: 'detection' },
    "at '/bridges/groups/mdx': missing property 'to'",
  ],
  ['bridges.groups.mdx', { ...BRIDGE, format: 'nvframe' }, "one of 'nv-frame', 'onvif'"],
  ['bridges.groups.mdx', { ...BRIDGE, topic: 'segmentation' }, "value must be 'detection'"],
  ['bridges.groups.mdx', { ...BRIDGE, to: 'mdx raw' }, "'mdx raw' does not match pattern"],
];

/** What contradicts something else, or is missing, and the sentence about it. */
const REFUSED_BY_CHECKS: readonly (readonly [given: Values, says: string])[] = [
  [at('image.registry', ''), 'image.registry is empty: say where the images are'],
  [at('image.tag', 'latest'), 'image.tag is latest, which is another image tomorrow'],
  [at('kafka.brokers', []), 'kafka.brokers is empty: name host:port of a broker or two.'],
  [at('kafka.brokers', ['kafka']), 'kafka.brokers has "kafka", which is not host:port.'],
  [
    at('inference.replicas', 9),
    'replicas of inference.groups.default are 9, but 8 partitions (kafka.partitions) give no ' +
      'more than 8 of them work: lower one, or raise the other.',
  ],
  [
    at('inference.autoscaling', {
      kind: 'keda',
      maxReplicas: 20,
      keda: { prometheusAddress: 'http://p:9090' },
    }),
    'autoscaling.maxReplicas of inference.groups.default is 20, but 8 partitions',
  ],
  [
    at('inference.autoscaling.kind', 'keda'),
    'autoscaling.keda.prometheusAddress of inference.groups.default is no address',
  ],
  [
    { inference: { provider: 'cuda', autoscaling: { kind: 'hpa' } } },
    'inference.groups.default runs on GPUs, of which its CPU tells nothing',
  ],
  [
    at('inference.groups', { masks: { heads: ['segmentation'] } }),
    'inference.groups.default and inference.groups.masks both run segmentation: each head in one',
  ],
  [
    at('kafka.sasl.mechanism', 'plain'),
    'kafka.sasl.mechanism is plain, but topics has no user: name a Secret in ' +
      'topics.kafkaUserSecret or kafka.sasl.existingSecret.',
  ],
  [at('kafka.tls.existingSecret', 'ca'), 'kafka.tls.enabled is false: set it to true'],
  [at('wall.enabled', true), 'wall.tokenSecret is empty: make a Secret (kubectl create secret'],
  [at('jobs.enabled', true), 'jobs needs Redis: set redis.url=redis://host:6379'],
  [at('redis.url', 'redis://user:secret@redis:6379'), 'redis.url holds a password'],
  [at('redis.url', 'redis.example.com'), 'write redis://host:port'],
  [
    at('schemaRegistry.caSecret', 'registry-ca'),
    'schemaRegistry names a Secret, but schemaRegistry.url is empty: write https://host:port',
  ],
  [
    at('schemaRegistry', { url: 'https://registry', existingSecret: 'registry' }),
    'schemaRegistry.url has no user: write https://user@host:port',
  ],
  [
    at('schemaRegistry', { url: 'https://user@registry', tokenSecret: 'registry' }),
    'schemaRegistry.tokenSecret is given, and so is a user or a password: keep one.',
  ],
  [
    at('schemaRegistry', { url: 'http://registry', caSecret: 'registry-ca' }),
    'schemaRegistry.caSecret is given, but schemaRegistry.url is without TLS: write https://.',
  ],
  [
    at('agent', { enabled: true, replicas: 2, config: { cameras: [] } }),
    'agent.replicas is 2, but every agent would publish all of agent.config.cameras',
  ],
  [
    at('agent', { enabled: true, config: { cameras: [], topics: { prefix: 'x' } } }),
    'agent.config.topics is set by this chart: leave it out',
  ],
  [at('acls.enabled', true), 'acls.enabled needs acls.kafkaUserSecret'],
  [at('bridges.enabled', true), 'bridges.groups is empty: name a bridge, as metropolis: {format'],
  [bridges({ to: '-' }), 'bridges.groups.mdx.to is -, which is standard output'],
  [
    bridges({}, { other: { ...BRIDGE, from: 'earliest' } }),
    'bridges.groups.mdx and bridges.groups.other both write nv-frame of detection into mdx-raw',
  ],
  [bridges({ replicas: 9 }), 'replicas of bridges.groups.mdx are 9, but 8 partitions'],
  [
    bridges({ kafkaUserSecret: 'mdx-user' }),
    'bridges.groups.mdx.kafkaUserSecret is given without kafka.sasl.mechanism',
  ],
  [bridges({}, { ['long'.repeat(12)]: BRIDGE }), 'is too long for halfsight-bridge-longlong'],
];

describe('values.schema.json', () => {
  it.each(valuesNames())('takes values/%s.yaml', (name) => {
    validate(merged(DEFAULTS, readValues(name)));
    expect(validate.errors).toBeNull();
  });

  it('there are at least twelve files of values', () => {
    expect(valuesNames().length).toBeGreaterThanOrEqual(12);
  });

  it.each(REFUSED_BY_SCHEMA)('refuses %s = %j', (path, value) => {
    const place = `/${path.replaceAll('.', '/')}`;
    expect(refused({})).toEqual([]);
    expect(
      refused(at(path, value)).some((one) => one.startsWith(place)),
      place,
    ).toBe(true);
  });

  it('knows the roles that users of Kafka may have', () => {
    const { acls } = SCHEMA.properties as { acls: { properties: { users: Node } } };
    expect(Object.keys(acls.properties.users.properties ?? {}).sort()).toEqual([...ROLES].sort());
  });

  it('knows the formats that bridges have, and whose results those hold', () => {
    const { bridges: known } = SCHEMA.properties as { bridges: { properties: { groups: Group } } };
    const { format, topic } = known.properties.groups.additionalProperties.properties;
    expect(format.enum).toEqual(FRAME_FORMATS.map(({ name }) => name).sort());
    // Each with each: else the chart has to say which go together.
    for (const { tasks } of FRAME_FORMATS) expect(tasks).toEqual(topic.enum);
  });

  it('knows every value of values.yaml, and no other but those that it refuses in words', () => {
    const known = new Set(pathsOfSchema(SCHEMA));
    const written = pathsOf(DEFAULTS);
    expect(written.filter((path) => !known.has(path))).toEqual([]);
    const missing = [...known].filter((path) => !written.includes(path));
    expect(missing).toEqual([]);
  });
});

const suite = WITHOUT_HELM === undefined ? 'the chart' : `the chart (skipped: ${WITHOUT_HELM})`;
if (WITHOUT_HELM !== undefined) {
  process.stderr.write(`\nWARNING: the chart is not rendered. ${WITHOUT_HELM}\n\n`);
}

describe.skipIf(WITHOUT_HELM !== undefined)(suite, () => {
  const says = (given: Values) => {
    try {
      render(merged(readValues('minimal'), given));
      return 'nothing';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it.each(REFUSED_BY_SCHEMA)('says of %s = %j what is wrong', (path, value, sentence) => {
    expect(says(at(path, value))).toContain(sentence);
  });

  it.each(REFUSED_BY_CHECKS)('says of %j what to do', (given, sentence) => {
    expect(says(given)).toContain(sentence);
  });

  it('tells all mistakes at once', () => {
    const message = says({ image: { registry: '' }, kafka: { brokers: [] } });
    expect(message).toContain('image.registry');
    expect(message).toContain('kafka.brokers');
  });
});

/** Paths of all values; below a group, a map of labels and the like there is what people want. */
function pathsOf(values: Values, prefix = ''): readonly string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    if (OPEN.test(path) || !isMap(value)) return [path];
    return [path, ...pathsOf(value, `${path}.`)];
  });
}

const OPEN_KEYS = [
  ...['groups', 'users', 'config', 'digests', 'resources', 'nodeSelector', 'affinity'],
  ...['labels', 'annotations', 'podAnnotations', 'podLabels'],
];
const OPEN = new RegExp(`(^|\\.)(${OPEN_KEYS.join('|')})$`);
/** Of all pods; a component may have them as well, and values.yaml says so once. */
const COMMON = Object.keys(DEFAULTS.common as Values);

interface Group {
  readonly additionalProperties: {
    readonly properties: Readonly<Record<'format' | 'topic', { readonly enum: unknown }>>;
  };
}

interface Node {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly const?: unknown;
}

function pathsOfSchema(node: Node, prefix = ''): readonly string[] {
  const { properties = {} } = resolved(node);
  return Object.entries(properties).flatMap(([key, inner]) => {
    const path = `${prefix}${key}`;
    if (typeof resolved(inner).const === 'string' || path === 'global') return [];
    if (COMMON.includes(key) && /^(?!common)\w+\.$/.test(prefix)) return [];
    return OPEN.test(path) ? [path] : [path, ...pathsOfSchema(inner, `${path}.`)];
  });
}

function resolved(node: Node): Node {
  if (node.$ref === undefined) return node;
  const definitions = SCHEMA.definitions as Readonly<Record<string, Node>>;
  return resolved(definitions[node.$ref.replace('#/definitions/', '')] ?? {});
}
