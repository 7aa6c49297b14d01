import { valuesNames } from '../chart.ts';
import { ControlPlane } from './control-plane.ts';
import { findsMistakes, prepare, rendered, takesObjects, takesPods } from './manifests.ts';
import { goesThrough, livesThrough } from './releases.ts';

/**
 * `node test/helm/cluster/main.ts FOLDER CRD.yaml...`, which cluster.sh runs: with each file of
 * values/, a real API server takes every object without a warning, takes every pod in a namespace
 * of the restricted profile, and sees a release come, change and go. It refuses mistakes.
 */
/** Each of these switches off what the one before it had. */
const WALK = ['minimal', 'everything', 'keda-secured', 'hpa', 'many-heads', 'minimal'];

const [folder, ...crds] = process.argv.slice(2);
if (folder === undefined || crds.length === 0) {
  process.stderr.write('usage: test/helm/cluster.sh\n');
  process.exit(2);
}
let passed = 0;
const say = (line: string) => {
  passed++;
  process.stdout.write(`  ok    ${line}\n`);
};

const cluster = await ControlPlane.start(folder);
try {
  await prepare(cluster, crds);
  say(`${await findsMistakes(cluster)} mistakes are refused`);
  for (const name of valuesNames()) {
    const text = await rendered(cluster, name);
    const [objects, pods] = [await takesObjects(cluster, text), await takesPods(cluster, text)];
    say(`${name}: ${objects} objects and ${pods} pods are taken`);
  }
  for (const name of valuesNames()) {
    await livesThrough(cluster, name);
    say(`${name}: installed, upgraded and uninstalled`);
  }
  await goesThrough(cluster, WALK);
  say(`one release: ${WALK.join(', ')}`);
} finally {
  await cluster.stop();
}
process.stdout.write(`${passed} passed\n`);
