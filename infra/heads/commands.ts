import type { Bundle } from '#models/bundle.ts';
import type { TaskHeads } from '#models/heads-file.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { HeadShadow } from '#schemas/head-shadow.ts';
import type { Task } from '#schemas/result.ts';
import type { HeadsCommand } from './arguments.ts';
import type { HeadFolder } from './folder.ts';
import { type ListedHead, listText, reportText, sumShadows } from './text.ts';

export interface Desk {
  readonly folder: HeadFolder;
  readonly bundle: Bundle;
  /** All that consumers have told of heads in shadow. */
  readonly readShadows: () => Promise<readonly HeadShadow[]>;
  readonly print: (text: string) => Promise<void>;
}

/** Does what the operator said; throws where it could not be done. */
export async function runHeadsCommand(desk: Desk, command: HeadsCommand): Promise<void> {
  switch (command.verb) {
    case 'list':
      return list(desk, command.json);
    case 'add':
      return add(desk, command.source, command.json);
    case 'shadow':
      return shadow(desk, command);
    case 'report':
      return report(desk, command.task, command.json);
    case 'switch':
      return makeLive(desk, command);
    case 'retire':
      return retire(desk, command);
  }
}

type Change = Extract<HeadsCommand, { readonly version: string }>;

async function list({ folder, bundle, print }: Desk, json: boolean): Promise<void> {
  const heads = await listHeads(folder, bundle);
  await print(json ? heads.map((head) => `${JSON.stringify(head)}\n`).join('') : listText(heads));
}

/** The bundle's own heads, then those of the folder. */
export async function listHeads(folder: HeadFolder, bundle: Bundle): Promise<ListedHead[]> {
  const inService = await folder.inService();
  const stored = await folder.list();
  const own = bundle.manifest.heads.map(({ task, version }) => {
    return { task, version, bytes: undefined, digest: undefined, problem: undefined, isOwn: true };
  });
  const all = [...own, ...stored.map((head) => ({ ...head, isOwn: false }))];
  return all.map((head): ListedHead => {
    const { live, shadow } = inService[head.task] ?? {};
    const isLive = live === undefined ? head.isOwn : head.version === live;
    const state = isLive ? 'live' : head.version === shadow ? 'shadow' : 'idle';
    return { ...head, state };
  });
}

async function add({ folder, print }: Desk, source: string, json: boolean): Promise<void> {
  const { head, isNew } = await folder.add(source);
  const { task, version } = head.spec;
  const { digest } = head;
  if (json) return print(`${JSON.stringify({ task, version, digest, isNew })}\n`);
  await print(
    isNew
      ? `${task} ${version}: added. npx halfsight heads shadow ${task} ${version} compares it.\n`
      : `${task} ${version}: is there already.\n`,
  );
}

async function shadow(desk: Desk, { task, version, json }: Change): Promise<void> {
  const heads = withoutShadow(await headsOf(desk, task));
  const { live } = heads;
  if (version === 'off') return change(desk, task, heads, 'no shadow', json);
  if (version === (live ?? ownVersion(desk.bundle, task))) {
    throw conflict(`${task} ${version} is live: it cannot be its own shadow.`);
  }
  if (version === ownVersion(desk.bundle, task)) {
    throw conflict(`${task} ${version} is the bundle's own head, which runs only as the live one.`);
  }
  await expectHead(desk, task, version);
  await change(desk, task, { ...heads, shadow: version }, `shadow ${version}`, json);
}

async function makeLive(desk: Desk, { task, version, json }: Change): Promise<void> {
  const before = await headsOf(desk, task);
  const own = ownVersion(desk.bundle, task);
  if (version !== own) await expectHead(desk, task, version);
  const was = before.live ?? own;
  const { former, ...heads } = before.shadow === version ? withoutShadow(before) : before;
  const next = was === version ? former : was;
  const live = { ...heads, live: version, ...(next === undefined ? {} : { former: next }) };
  await change(desk, task, live, `live ${version}, was ${was}`, json);
}

async function retire(desk: Desk, { task, version, json }: Change): Promise<void> {
  const { former, ...heads } = await headsOf(desk, task);
  if (version === heads.live) {
    throw conflict(`${task} ${version} is live.`, 'Switch to another version first.');
  }
  const stored = await desk.folder.list();
  if (!stored.some((head) => head.task === task && head.version === version)) {
    throw missing(task, version);
  }
  const left = heads.shadow === version ? withoutShadow(heads) : heads;
  const isFormer = former === undefined || former === version;
  await writeHeads(desk, task, isFormer ? left : { ...left, former });
  await desk.folder.remove(task, version);
  const done = { task, version, retired: true };
  await desk.print(json ? `${JSON.stringify(done)}\n` : `${task} ${version}: retired.\n`);
}

async function report(desk: Desk, task: Task, json: boolean): Promise<void> {
  const sums = sumShadows(task, await desk.readShadows());
  const text = json
    ? sums.map((sum) => `${JSON.stringify(sum)}\n`).join('')
    : reportText(task, sums);
  await desk.print(text);
}

async function writeHeads({ folder }: Desk, task: Task, heads: TaskHeads): Promise<void> {
  await folder.writeInService({ ...(await folder.inService()), [task]: heads });
}

async function change(
  desk: Desk,
  task: Task,
  heads: TaskHeads,
  what: string,
  json: boolean,
): Promise<void> {
  await writeHeads(desk, task, heads);
  const seconds = LIMITS.headPollIntervalMs / 1000;
  const when = `consumers look every ${seconds} s, and change when it is warm`;
  const text = `${task}: ${what}; ${when}.\n`;
  await desk.print(json ? `${JSON.stringify({ task, ...heads })}\n` : text);
}

async function headsOf({ folder, bundle }: Desk, task: Task): Promise<TaskHeads> {
  ownVersion(bundle, task);
  return (await folder.inService())[task] ?? {};
}

function withoutShadow({ shadow: _, ...heads }: TaskHeads): TaskHeads {
  return heads;
}

function ownVersion({ manifest: { name, heads } }: Bundle, task: Task): string {
  const own = heads.find((head) => head.task === task);
  if (own !== undefined) return own.version;
  const tasks = heads.map((head) => head.task).join(', ');
  throw new HalfsightError('head-missing', `bundle ${name} has no head for ${task}.`, {
    advice: `It has ${tasks}; HALFSIGHT_BUNDLE names it.`,
  });
}

async function expectHead({ folder }: Desk, task: Task, version: string): Promise<void> {
  await folder.load(task, version).catch((cause: unknown) => {
    throw codeOf(cause) === 'head-missing' ? missing(task, version) : cause;
  });
}

function missing(task: Task, version: string): HalfsightError {
  return new HalfsightError('head-missing', `there is no head ${task} ${version}.`, {
    advice: 'npx halfsight heads list shows those that there are; add takes one in.',
  });
}

function conflict(message: string, advice = 'See npx halfsight heads list.'): HalfsightError {
  return new HalfsightError('head-conflict', message, { advice });
}
