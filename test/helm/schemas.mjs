/**
 * Writes the schemas that kubeconform reads, from what the projects themselves publish: Kubernetes'
 * OpenAPI document, and the CRDs of KEDA and the Prometheus operator. Unknown fields are mistakes.
 *
 *     node test/helm/schemas.mjs OUT SWAGGER.json CRD.yaml...
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const [out, swagger, ...crds] = process.argv.slice(2);
if (swagger === undefined) {
  process.stderr.write('usage: node test/helm/schemas.mjs OUT SWAGGER.json CRD.yaml...\n');
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const { definitions } = JSON.parse(readFileSync(swagger, 'utf8'));
const INT_OR_STRING = { oneOf: [{ type: 'string' }, { type: 'integer' }] };
const SPECIAL = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': INT_OR_STRING,
  'io.k8s.apimachinery.pkg.api.resource.Quantity': {
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
};
const strict = Object.fromEntries(
  Object.entries(definitions).map(([name, schema]) => [name, SPECIAL[name] ?? closed(schema)]),
);
write('_definitions.json', { definitions: strict });
for (const [name, schema] of Object.entries(definitions)) {
  for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
    writeKind(group, version, kind, { $ref: `_definitions.json#/definitions/${name}` });
  }
}
for (const file of crds) {
  const { spec } = parse(readFileSync(file, 'utf8'));
  for (const { name, schema } of spec.versions) {
    const { properties, ...rest } = schema.openAPIV3Schema;
    // What every object has is not in the schema of a CRD.
    const metadata = {
      $ref: '_definitions.json#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
    };
    const whole = { ...closed({ properties, ...rest }) };
    whole.properties.metadata = metadata;
    writeKind(spec.group, name, spec.names.kind, whole);
  }
}

/** The same with `additionalProperties: false` wherever properties are listed. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  if (schema['x-kubernetes-int-or-string']) return INT_OR_STRING;
  const result = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith('x-') || key === 'format' || key === 'nullable') continue;
    if (key === '$ref') result.$ref = value.replace(/^#/, '_definitions.json#');
    else if (key === 'properties') {
      result.properties = Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, closed(one)]),
      );
    } else result[key] = closed(value);
  }
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema.properties && !isOpen) result.additionalProperties ??= false;
  return result;
}

function writeKind(group, version, kind, schema) {
  const [short] = group.split('.');
  const parts = [kind, ...(short ? [short] : []), version];
  write(`${parts.join('-').toLowerCase()}.json`, schema);
}

function write(name, value) {
  writeFileSync(join(out, name), JSON.stringify(value));
}
