import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseAgentSettings } from '#producers/camera/settings.ts';
import { ConfigFile } from '#runtime/config-file.ts';
import { LIMITS } from '#runtime/limits.ts';
import { VARIABLES } from '#runtime/settings.ts';

/** There may be no Docker: compose.yaml is held against the schema of the Compose Specification. */

const ROOT = join(import.meta.dirname, '..', '..', '..');
const INFRA = join(ROOT, 'infra');
const read = (...path: string[]) => readFileSync(join(...path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: {
    readonly context: string;
    readonly dockerfile: string;
    readonly target: string;
  };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string }[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
}

const compose = parse(read(INFRA, 'compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const own = services.filter(([, { build }]) => build !== undefined);

describe('compose.yaml', () => {
  it('is as the Compose Specification says', () => {
    const { $schema: _, ...schema } = JSON.parse(
      read(ROOT, 'test', 'golden', 'compose-spec', 'schema.json'),
    ) as Record<string, unknown>;
    const ajv = new Ajv({ allErrors: true, strict: false, formats: { duration: true } });
    const validate = ajv.compile(schema);
    validate(compose);
    expect(validate.errors).toBeNull();
    // And one that is not is found.
    expect(validate({ services: { kafka: { imaeg: 'kafka' } } })).toBe(false);
  });

  it('builds what the Dockerfile has, of every process', () => {
    const targets = [...read(INFRA, 'images', 'Dockerfile').matchAll(/^FROM process AS (\S+)$/gm)]
      .map(([, target]) => target)
      .filter((target) => target !== 'consumer-cuda');
    // The tools twice: what ends by itself, and a bridge.
    expect(new Set(own.map(([, { build }]) => build?.target))).toEqual(new Set(targets));
    for (const [name, { build, image }] of own) {
      expect(existsSync(join(INFRA, build?.context ?? '', build?.dockerfile ?? '')), name).toBe(
        true,
      );
      expect(image).toBe(`halfsight-${build?.target}`);
    }
  });

  it('names the images of others by a version', () => {
    for (const [name, { image, build }] of services) {
      if (build === undefined)
        expect(image, name).toMatch(/^\$\{\w+:-[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*\}$/);
    }
  });

  it('gives processes no more than they need, and time to drain', () => {
    for (const [name, service] of own) {
      expect(service.read_only, name).toBe(true);
      expect(service.cap_drop, name).toEqual(['ALL']);
      const seconds = Number(service.stop_grace_period?.replace('s', ''));
      expect(seconds).toBeGreaterThan(LIMITS.shutdownTimeoutMs / 1000);
      const names = Object.keys(service.environment ?? {});
      expect(
        names.filter((one) => !one.startsWith('OTEL_') && !Object.hasOwn(VARIABLES, one)),
      ).toEqual([]);
    }
  });

  it('listens on this machine only, and has no password of its own', () => {
    for (const [, { ports = [] }] of services) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
    const secrets = services.flatMap(([, { environment = {} }]) =>
      Object.entries(environment).filter(([name]) => /(TOKEN|PASSWORD)$/.test(name)),
    );
    expect(secrets.length).toBeGreaterThan(0);
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{\w+:\?make one/);
  });

  it('mounts files that there are', () => {
    const mounts = services
      .flatMap(([, { volumes = [] }]) => volumes)
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((source) => source.startsWith('./'));
    expect(mounts.length).toBeGreaterThan(0);
    expect(mounts.filter((source) => !existsSync(join(INFRA, source)))).toEqual([]);
    const used = services.flatMap(([, { configs = [] }]) => configs.map(({ source }) => source));
    expect(used.sort()).toEqual(Object.keys(compose.configs).sort());
  });

  it('has a file that the agent takes', () => {
    const file = new ConfigFile('agent', compose.configs.agent?.content ?? '', 'the manual');
    const settings = parseAgentSettings(file, '/', {
      bundleDirectory: '/bundle',
      kafkaBrokers: ['kafka:19092'],
      topicPrefix: 'halfsight',
      lookup: () => undefined,
    });
    expect(settings.cameras).toHaveLength(4);
  });

  it('has Prometheus call processes as alerts and dashboards do', () => {
    const jobsOf = (text: string) =>
      (parse(text) as { scrape_configs: { job_name: string }[] }).scrape_configs
        .map((job) => job.job_name)
        .sort();
    const example = jobsOf(read(INFRA, 'observability', 'prometheus.yaml'));
    expect(jobsOf(compose.configs.prometheus?.content ?? '')).toEqual(example);
  });
});
