import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { ConfigFile, type Section } from '#runtime/config-file.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Environment } from '#runtime/settings.ts';
import { isCameraId } from '#schemas/frame.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { Hook } from './hook.ts';
import { keyOf } from './signature.ts';

export const HOOKS_MANUAL = 'consumers/webhooks/webhooks.example.yaml';

/**
 * Reads the file of hooks. Throws `settings-invalid` where none is named, and one `config-invalid`
 * that lists every mistake with its line.
 */
export function readHooks({ webhooksFile: path }: Environment): readonly Hook[] {
  if (path === undefined) {
    throw new HalfsightError('settings-invalid', 'no file of hooks is named.', {
      advice: `Set HALFSIGHT_WEBHOOKS=webhooks.yaml; ${HOOKS_MANUAL} is one.`,
    });
  }
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HalfsightError('config-invalid', `${path} cannot be read.`, {
      advice: 'HALFSIGHT_WEBHOOKS names the file of hooks.',
      cause,
    });
  }
  return parseHooks(new ConfigFile(basename(path), text, HOOKS_MANUAL), dirname(path));
}

/** `folder`: which the files of secrets are in. */
export function parseHooks(file: ConfigFile, folder: string): readonly Hook[] {
  const root = file.root();
  const sections = root.sections('hooks');
  if (sections.length === 0) root.reject('hooks', 'must list at least one hook');
  if (sections.length > LIMITS.webhooksMax) {
    root.reject('hooks', `must be at most ${LIMITS.webhooksMax}, but are ${sections.length}`);
  }
  const firstWithName = new Map<string, string>();
  const hooks = sections.map((section) => {
    const hook = readHook(section, folder);
    const first = firstWithName.get(hook.name);
    if (first !== undefined) section.reject('name', `"${hook.name}" is already that of ${first}`);
    else if (hook.name !== '') firstWithName.set(hook.name, section.path);
    return hook;
  });
  root.end();
  file.finish();
  return hooks;
}

/** Where something was rejected, it stands for what is not there; `finish` throws. */
function readHook(section: Section, folder: string): Hook {
  const name = section.matching(
    'name',
    /^[A-Za-z0-9_-]{1,40}$/,
    '1 to 40 letters, digits, "_" or "-"',
  );
  if (name === undefined) section.reject('name', 'must be given');
  const task = readTask(section);
  const seconds = section.number('timeoutSeconds', 0.1, LIMITS.webhookTimeoutMsMax / 1000);
  const minutes = section.number('parkAfterMinutes', 0, LIMITS.webhookParkAfterMsMax / 60_000);
  const hook = {
    name: name ?? '',
    url: readUrl(section),
    task,
    cameras: readCameras(section),
    labels: readLabels(section),
    scoreMin: section.number('scoreMin', 0, 1),
    sendsShed: section.boolean('shed') ?? false,
    keys: readKeys(section, folder),
    parallel: section.integer('parallel', 1, LIMITS.webhookParallelMax) ?? 1,
    timeoutMs: seconds === undefined ? LIMITS.webhookTimeoutMsDefault : seconds * 1000,
    parkAfterMs: minutes === undefined ? LIMITS.webhookParkAfterMsDefault : minutes * 60_000,
  };
  if (hook.scoreMin !== undefined && task === 'segmentation') {
    section.reject('scoreMin', 'is not for segmentation: masks have no score');
  }
  section.end();
  return hook;
}

function readTask(section: Section): Task {
  const named = section.text('topic');
  const task = TASKS.find((known) => known === named);
  if (task === undefined) {
    const found = named === undefined ? '' : `, but is "${named}"`;
    section.reject('topic', `must be one of ${TASKS.join(', ')}${found}`);
  }
  return task ?? 'detection';
}

function readUrl(section: Section): string {
  const text = section.text('url');
  if (text === undefined) {
    section.reject('url', 'must be given');
    return '';
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    section.reject('url', 'must begin with https:// or http://');
  } else if (url.username !== '' || url.password !== '') {
    section.reject('url', 'may hold no user or password: the signature says who sends');
  }
  return text;
}

function readCameras(section: Section): ReadonlySet<string> | undefined {
  const cameras = section.texts('cameras');
  for (const camera of cameras ?? []) {
    if (!isCameraId(camera)) section.reject('cameras', `"${camera}" can be no camera's id`);
  }
  if (cameras?.length === 0) section.reject('cameras', 'must name a camera; without it, all count');
  return cameras && new Set(cameras);
}

function readLabels(section: Section): ReadonlySet<string> | undefined {
  const labels = section.texts('labels');
  if (labels?.length === 0) section.reject('labels', 'must name a label; without it, all count');
  return labels && new Set(labels);
}

/** One secret a line. What is in the file appears in no error. */
function readKeys(section: Section, folder: string): readonly Uint8Array[] {
  const path = section.text('secretFile');
  if (path === undefined) {
    section.reject('secretFile', 'must be given');
    return [];
  }
  const secrets = readSecrets(resolve(folder, path));
  if ('problem' in secrets) {
    section.reject('secretFile', secrets.problem);
    return [];
  }
  return secrets.keys;
}

/** The keys of a file of secrets, one a line; or what is wrong with it. */
export function readSecrets(
  path: string,
): { readonly keys: readonly Uint8Array[] } | { readonly problem: string } {
  let lines: readonly string[];
  try {
    lines = readFileSync(path, 'utf8')
      .split(/\s+/)
      .filter((line) => line !== '');
  } catch (error) {
    return { problem: `cannot be read (${(error as Error).message})` };
  }
  const keys = lines.flatMap((line) => keyOf(line) ?? []);
  if (keys.length > 0 && keys.length === lines.length) return { keys };
  return { problem: 'must hold whsec_ and base64 of 24 to 64 bytes: openssl rand -base64 32' };
}
