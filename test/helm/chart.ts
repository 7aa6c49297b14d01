import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';

/** The chart, the values that it is tested with, and what Helm makes of them. */

const ROOT = join(import.meta.dirname, '..', '..');
export const CHART = join(ROOT, 'helm', 'halfsight');
export const GOLDEN = join(import.meta.dirname, 'golden');
const VALUES = join(import.meta.dirname, 'values');
/** Made by infra/ensure.mjs. */
const PYTHON = join(ROOT, '.halfsight', 'tools', 'bin', 'python');
export const RELEASE = 'halfsight';

export type Values = Readonly<Record<string, unknown>>;

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Undefined: it can render; otherwise why not, for a person. */
export const WITHOUT_HELM = existsSync(PYTHON)
  ? undefined
  : 'Helm is not here: node infra/ensure.mjs tools';

/** Names of the files in values/, without their endings. */
export function valuesNames(): readonly string[] {
  return readdirSync(VALUES)
    .map((file) => basename(file, '.yaml'))
    .sort();
}

export function valuesFile(name: string): string {
  return join(VALUES, `${name}.yaml`);
}

export function readValues(name: string): Values {
  return parse(readFileSync(valuesFile(name), 'utf8')) as Values;
}

/** What `helm install halfsight --namespace vision` would make; throws what Helm says. */
export function render(values: Values): readonly KubernetesObject[] {
  const order = { chart: CHART, release: RELEASE, namespace: 'vision', values };
  const run = spawnSync(PYTHON, [join(import.meta.dirname, 'render.py')], {
    input: JSON.stringify(order),
    encoding: 'utf8',
  });
  const line = run.stdout.trim().split('\n').at(-1) ?? '';
  if (run.status !== 0 || line === '') throw new Error(`Helm did not run: ${run.stderr}`);
  const { files, error } = JSON.parse(line) as { files?: Record<string, string>; error?: string };
  if (files === undefined) throw new Error(error);
  return objectsOf(
    Object.entries(files)
      .filter(([path]) => path.endsWith('.yaml'))
      .map(([, text]) => text),
  );
}

/** What Kubernetes would read in files of YAML. */
export function objectsOf(texts: readonly string[]): readonly KubernetesObject[] {
  const objects = texts.flatMap((text) =>
    // As Kubernetes reads it: 0440 is a number in base 8.
    parseAllDocuments(text, { version: '1.1' }).map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as KubernetesObject | null;
    }),
  );
  const place = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.name}`;
  return objects
    .filter((object) => object !== null)
    .sort((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : 0));
}

/** As it is kept in golden/: what comes from other folders of the repository stays there. */
export function goldenText(objects: readonly KubernetesObject[]): string {
  return objects
    .map((object) => {
      if (object.kind === 'PrometheusRule') {
        return { ...object, spec: 'infra/observability/alerts.yaml' };
      }
      if (object.metadata.labels?.grafana_dashboard !== undefined) {
        return { ...object, data: 'infra/observability/grafana/dashboards' };
      }
      return object;
    })
    .map((object) => stringify(object, { lineWidth: 0 }))
    .join('---\n');
}
