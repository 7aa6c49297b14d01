/**
 * Adds Debian's packages to what `npm sbom` says, and prints the CycloneDX document of an image.
 *
 *     node infra/images/sbom.mjs NPM.cdx.json STATUS.D-FOLDER
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [npmFile, statusFolder] = process.argv.slice(2);
const document = JSON.parse(readFileSync(npmFile, 'utf8'));
const modules = join(process.cwd(), 'node_modules');
// What was left out of the image (prune.mjs) is none of its parts.
const installed = document.components.filter(({ name, group }) =>
  existsSync(join(modules, group ?? '', name)),
);
const debian = readdirSync(statusFolder)
  .sort()
  .map((name) => component(readFileSync(join(statusFolder, name), 'utf8')));
const node = {
  type: 'application',
  'bom-ref': 'node',
  name: 'node',
  version: process.versions.node,
  purl: `pkg:generic/node@${process.versions.node}`,
};
const components = [...installed, node, ...debian];
const known = new Set([
  document.metadata.component['bom-ref'],
  ...components.map((one) => one['bom-ref']),
]);
const dependencies = document.dependencies
  .filter(({ ref }) => known.has(ref))
  .map(({ ref, dependsOn = [] }) => ({
    ref,
    dependsOn: dependsOn.filter((one) => known.has(one)),
  }));
process.stdout.write(
  `${JSON.stringify({ ...document, components, dependencies }, undefined, 1)}\n`,
);

function component(status) {
  const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(status)?.[1] ?? '';
  const [name, version, arch] = ['Package', 'Version', 'Architecture'].map(field);
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${arch}&distro=debian-12`;
  return { type: 'library', 'bom-ref': purl, name, version, purl };
}
