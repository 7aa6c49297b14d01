import type { CameraEntry, Registry } from '#producers/fleet/registry.ts';
import type { StoredCamera, WantedCamera } from '#producers/fleet/wanted-camera.ts';
import type { Clock } from '#runtime/clock.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CameraChanges, CamerasCommand } from './arguments.ts';
import { changedRate } from './rate-options.ts';
import { listText, shownEntry, showText } from './text.ts';

export interface Desk {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly print: (text: string) => Promise<void>;
}

/** Does what the operator said; throws where it could not be done. */
export async function runCamerasCommand(
  desk: Desk,
  command: Exclude<CamerasCommand, { readonly verb: 'help' }>,
): Promise<void> {
  switch (command.verb) {
    case 'list':
      return list(desk, command.json);
    case 'show':
      return show(desk, command.id, command.json);
    case 'add':
      return add(desk, command.camera, command.json);
    case 'set':
      return change(desk, command, command.json);
    case 'remove':
      for (const id of command.ids) await remove(desk, id, command.version);
      return;
    case 'enable':
    case 'disable':
      for (const id of command.ids) {
        await enable(desk, id, command.verb === 'enable', command.version);
      }
      return;
    case 'drain':
      return drain(desk, command.ids, command.timeoutMs);
  }
}

async function list({ registry, print }: Desk, json: boolean): Promise<void> {
  const fleet = await registry.list();
  await print(json ? fleet.cameras.map(entryJson).join('') : listText(fleet));
}

async function show(desk: Desk, id: string, json: boolean): Promise<void> {
  const { cameras } = await desk.registry.list();
  const entry = cameras.find(({ camera }) => camera.id === id);
  if (entry === undefined) throw missing(id);
  await desk.print(json ? entryJson(entry) : showText(entry));
}

async function add(desk: Desk, camera: WantedCamera, json: boolean): Promise<void> {
  const { registry } = desk;
  const version = await registry.put(camera, 0).catch((cause) => {
    if (codeOf(cause) !== 'camera-conflict') throw cause;
    throw new HalfsightError('camera-conflict', `camera ${camera.id} exists already.`, {
      advice: `Change it with npx halfsight cameras set ${camera.id}.`,
      cause,
    });
  });
  await tell(desk, { ...camera, version }, 'added', json);
}

async function change(
  desk: Desk,
  { id, changes, version }: Extract<CamerasCommand, { readonly verb: 'set' }>,
  json: boolean,
): Promise<void> {
  const stored = await find(desk, id);
  const camera = changed(stored, changes);
  const next = await desk.registry.put(camera, version ?? stored.version);
  const what = next === stored.version ? 'is so already' : 'changed';
  await tell(desk, { ...camera, version: next }, what, json);
}

function changed(stored: StoredCamera, changes: CameraChanges): WantedCamera {
  const { version: _, rate: oldRate, ...camera } = stored;
  const { labels: added, rate: rateChanges, ...named } = changes;
  const rate = changedRate(oldRate, rateChanges);
  const { ratePoint, heads, traceSampleRatio, preview, ...others } = { ...camera, ...named };
  const labels = Object.fromEntries(
    Object.entries({ ...camera.labels, ...added }).filter(([, value]) => value !== ''),
  );
  return {
    ...others,
    ...(ratePoint === undefined || ratePoint === 'default' ? {} : { ratePoint }),
    ...(rate === undefined ? {} : { rate }),
    ...(heads === undefined || heads === 'all' ? {} : { heads }),
    ...(typeof traceSampleRatio === 'number' && { traceSampleRatio }),
    ...(typeof preview === 'object' && { preview }),
    labels,
  };
}

async function remove({ registry, print }: Desk, id: string, version?: number): Promise<void> {
  if (!(await registry.remove(id, version))) throw missing(id);
  await print(`${id}: removed.\n`);
}

async function enable(
  desk: Desk,
  id: string,
  enabled: boolean,
  expected: number | undefined,
): Promise<void> {
  const { version: stored, ...camera } = await find(desk, id);
  const version = await desk.registry.put({ ...camera, enabled }, expected ?? stored);
  const state = enabled ? 'enabled' : 'disabled';
  const what = version === stored ? `is ${state} already` : state;
  await desk.print(`${id}: ${what}, version ${version}.\n`);
}

async function drain(desk: Desk, ids: readonly string[], timeoutMs: number): Promise<void> {
  const { registry, clock, print } = desk;
  const endMs = clock.monotonicMs() + timeoutMs;
  for (const id of ids) await enable(desk, id, false, undefined);
  let left = new Set(ids);
  for (;;) {
    const { cameras } = await registry.list();
    const leaving = cameras.filter(({ camera, placement }) => {
      return left.has(camera.id) && placement.state !== 'disabled';
    });
    const still = new Set(leaving.map(({ camera }) => camera.id));
    for (const id of left) if (!still.has(id)) await print(`${id}: drained.\n`);
    left = still;
    if (left.size === 0) return;
    if (clock.monotonicMs() >= endMs) throw notDrained(leaving);
    await clock.sleep(LIMITS.fleetBeatIntervalMs);
  }
}

async function find({ registry }: Desk, id: string): Promise<StoredCamera> {
  const stored = await registry.get(id);
  if (stored === undefined) throw missing(id);
  return stored;
}

function entryJson(entry: CameraEntry): string {
  return `${JSON.stringify(shownEntry(entry))}\n`;
}

function tell({ print }: Desk, camera: StoredCamera, what: string, json: boolean): Promise<void> {
  if (json) return print(`${JSON.stringify({ id: camera.id, version: camera.version })}\n`);
  return print(`${camera.id}: ${what}, version ${camera.version}.\n`);
}

function missing(id: string): HalfsightError {
  return new HalfsightError('camera-missing', `the registry has no camera "${id}".`, {
    advice: 'npx halfsight cameras list shows those that it has; KAFKA_TOPIC_PREFIX names it.',
  });
}

function notDrained(leaving: readonly CameraEntry[]): HalfsightError {
  const names = leaving.map(({ camera, placement }) => {
    return 'agentId' in placement ? `${camera.id} (${placement.agentId})` : camera.id;
  });
  return new HalfsightError('camera-leaving', `not drained yet: ${names.join(', ')}.`, {
    advice: 'They are disabled, and their owners go on. Wait again with the same command.',
  });
}
