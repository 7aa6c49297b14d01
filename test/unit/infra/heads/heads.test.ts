import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readHeadsArguments } from '#infra/heads/arguments.ts';
import { runHeadsCommand } from '#infra/heads/commands.ts';
import { HeadFolder } from '#infra/heads/folder.ts';
import { HEADS_USAGE, VERB_USAGE, VERBS } from '#infra/heads/usage.ts';
import { loadBundle } from '#models/bundle.ts';
import { readHeadsFile } from '#models/heads-file.ts';
import type { HeadShadow } from '#schemas/head-shadow.ts';
import { type AddedHeadChanges, writeHead } from '#test/fixtures/added-head.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { HEAD_SHADOW } from '#test/unit/schemas/samples.ts';

const bundle = await loadBundle(TINY_BUNDLE);
const offices: string[] = [];

afterEach(async () => {
  for (const office of offices.splice(0)) await rm(office, { recursive: true });
});

/** An operator who types; `heads` is the folder, which does not exist at first. */
async function setUp(shadows: readonly HeadShadow[] = []) {
  const office = await mkdtemp(join(tmpdir(), 'halfsight-office-'));
  offices.push(office);
  const heads = join(office, 'heads');
  const folder = new HeadFolder(heads, bundle);
  const type = async (...args: readonly string[]) => {
    const printed: string[] = [];
    const print = async (text: string) => void printed.push(text);
    const command = readHeadsArguments(args);
    if (command.verb === 'help') return command.text;
    await runHeadsCommand({ folder, bundle, readShadows: async () => shadows, print }, command);
    return printed.join('');
  };
  const make = async (changes: AddedHeadChanges = {}) => {
    const source = await mkdtemp(join(office, 'made-'));
    await writeHead(source, changes);
    return source;
  };
  const add = async (changes: AddedHeadChanges = {}) => type('add', await make(changes));
  return { heads, type, make, add, inService: () => readHeadsFile(heads) };
}

describe('npx halfsight heads', () => {
  it('says what it can do', async () => {
    const { type } = await setUp();
    expect(await type()).toBe(HEADS_USAGE);
    expect(await type('--help')).toBe(HEADS_USAGE);
    for (const verb of VERBS) {
      expect(HEADS_USAGE).toMatch(new RegExp(`^  ${verb} `, 'm'));
      expect(await type(verb, '--help')).toBe(VERB_USAGE[verb]);
      expect(VERB_USAGE[verb]).toContain(`Usage: npx halfsight heads ${verb} `);
    }
    const lines = [HEADS_USAGE, ...Object.values(VERB_USAGE)].join('\n').split('\n');
    expect(lines.filter(({ length }) => length > 100)).toEqual([]);
  });

  it.each([
    [['sing'], 'there is no command "sing": there are list, add,'],
    [['add'], 'add takes DIR, but got nothing.'],
    [['list', 'detection'], 'list takes nothing, but got detection.'],
    [['switch', 'detection'], 'switch takes TASK VERSION, but got detection.'],
    [['report', 'ocr'], '"ocr" is no task: there are classification,'],
    [['shadow', 'detection', '2', '--now'], '--now'],
  ])('refuses %j', (args, says) => {
    expect(() => readHeadsArguments(args)).toThrow(
      expect.objectContaining({ code: 'usage-invalid', message: expect.stringContaining(says) }),
    );
  });
});

describe('add', () => {
  it('copies a head into the folder, and runs it nowhere', async () => {
    const { heads, add, type, inService } = await setUp();
    expect(await add()).toContain('detection 2: added.');
    expect(await readdir(heads)).toEqual(['detection-2']);
    expect((await readdir(join(heads, 'detection-2'))).sort()).toEqual([
      ...['head-detection.onnx', 'head.json', 'labels-detection.json'],
    ]);
    expect(await inService()).toBeUndefined();
    const lines = (await type('list')).split('\n').map((line) => line.split(/ {2,}/));
    expect(lines).toMatchObject([
      ['TASK', 'VERSION', 'STATE', 'KB', 'DIGEST', 'PROBLEM'],
      ['classification', '1', 'live', '-', "the bundle's own"],
      ['detection', '1', 'live', '-', "the bundle's own"],
      ['segmentation', '1', 'live', '-', "the bundle's own"],
      ['detection', '2', 'idle', '0.9', expect.stringMatching(/^[0-9a-f]{12}$/)],
      [''],
    ]);
  });

  it('of the same head again changes nothing', async () => {
    const { make, type } = await setUp();
    const source = await make();
    const first = JSON.parse(await type('add', source, '--json'));
    expect(first).toMatchObject({ task: 'detection', version: '2', isNew: true });
    const again = JSON.parse(await type('add', source, '--json'));
    expect(again).toEqual({ ...first, isNew: false });
    expect(await type('add', source)).toContain('is there already');
  });

  it('leaves out what the head does not name', async () => {
    const { heads, make, type } = await setUp();
    const source = await make();
    await writeFile(join(source, 'notes.txt'), 'not for everyone');
    await type('add', source);
    expect(await readdir(join(heads, 'detection-2'))).not.toContain('notes.txt');
  });

  it('refuses another head of the same version', async () => {
    const { add } = await setUp();
    await add();
    await expect(add({ spec: { scoreMin: 0.9 } })).rejects.toMatchObject({
      code: 'head-conflict',
      message: 'there is another head detection 2.',
    });
  });

  it('refuses one that was made for another body, and leaves nothing behind', async () => {
    const { heads, add } = await setUp();
    await add();
    const foreign = add({ version: '3', origin: { body: '0'.repeat(64) } });
    await expect(foreign).rejects.toMatchObject({ code: 'head-foreign' });
    expect(await readdir(heads)).toEqual(['detection-2']);
  });
});

describe('shadow and switch', () => {
  it('say what consumers will run', async () => {
    const { add, type, inService } = await setUp();
    await add();
    await add({ version: '3' });
    expect(await type('shadow', 'detection', '2')).toMatch(/^detection: shadow 2; consumers look/);
    expect(await inService()).toEqual({ detection: { shadow: '2' } });
    expect(await type('switch', 'detection', '2')).toMatch(/^detection: live 2, was 1; /);
    expect(await inService()).toEqual({ detection: { live: '2', former: '1' } });
    const shadow = JSON.parse(await type('shadow', 'detection', '3', '--json'));
    expect(shadow).toEqual({ task: 'detection', live: '2', former: '1', shadow: '3' });
    expect(await type('list')).toMatch(/detection +1 +idle(.|\n)*2 +live(.|\n)*3 +shadow/);
    await type('shadow', 'detection', 'off');
    expect(await inService()).toEqual({ detection: { live: '2', former: '1' } });
    await type('shadow', 'detection', '3');
    // Back, and the comparison goes on.
    await type('switch', 'detection', '1');
    expect(await inService()).toEqual({ detection: { live: '1', former: '2', shadow: '3' } });
    await type('switch', 'detection', '1');
    expect(await inService()).toMatchObject({ detection: { live: '1', former: '2' } });
  });

  it('leave other tasks as they are', async () => {
    const { add, type, inService } = await setUp();
    await add();
    await add({ task: 'segmentation' });
    await type('switch', 'detection', '2');
    await type('switch', 'segmentation', '2');
    const live = { live: '2', former: '1' };
    expect(await inService()).toEqual({ detection: live, segmentation: live });
  });

  it('refuse what is not there, or not whole', async () => {
    const { heads, add, type, inService } = await setUp();
    await add();
    const missing = { code: 'head-missing', message: 'there is no head detection 3.' };
    await expect(type('switch', 'detection', '3')).rejects.toMatchObject(missing);
    await expect(type('shadow', 'detection', '3')).rejects.toMatchObject(missing);
    await writeFile(join(heads, 'detection-2', 'head-detection.onnx'), 'cut');
    const broken = { code: 'head-digest-mismatch' };
    await expect(type('switch', 'detection', '2')).rejects.toMatchObject(broken);
    expect(await type('list')).toMatch(/detection +2 +idle .*head-detection\.onnx is not the file/);
    expect(await inService()).toBeUndefined();
  });

  it("refuse a shadow that is live, or the bundle's own", async () => {
    const { add, type } = await setUp();
    await add();
    const isLive = { code: 'head-conflict', message: expect.stringContaining('is live') };
    await expect(type('shadow', 'detection', '1')).rejects.toMatchObject(isLive);
    await type('switch', 'detection', '2');
    await expect(type('shadow', 'detection', '2')).rejects.toMatchObject(isLive);
    const isOwn = { code: 'head-conflict', message: expect.stringContaining("bundle's own") };
    await expect(type('shadow', 'detection', '1')).rejects.toMatchObject(isOwn);
  });
});

describe('retire', () => {
  it('takes a head out, and out of shadow', async () => {
    const { heads, add, type, inService } = await setUp();
    await add();
    await type('shadow', 'detection', '2');
    expect(await type('retire', 'detection', '2')).toContain('detection 2: retired.');
    expect(await inService()).toEqual({ detection: {} });
    expect(await readdir(heads)).toEqual(['heads.json']);
    await add();
    const printed = await type('retire', 'detection', '2', '--json');
    expect(JSON.parse(printed)).toEqual({ task: 'detection', version: '2', retired: true });
  });

  it('takes out what was live before', async () => {
    const { add, type, inService } = await setUp();
    await add();
    await add({ version: '3' });
    await type('switch', 'detection', '2');
    await type('switch', 'detection', '3');
    expect(await inService()).toEqual({ detection: { live: '3', former: '2' } });
    await type('retire', 'detection', '2');
    expect(await inService()).toEqual({ detection: { live: '3' } });
  });

  it('refuses the live one, and one that is not there', async () => {
    const { add, type } = await setUp();
    await add();
    await type('switch', 'detection', '2');
    const isLive = { code: 'head-conflict', message: 'detection 2 is live.' };
    await expect(type('retire', 'detection', '2')).rejects.toMatchObject(isLive);
    await expect(type('retire', 'detection', '7')).rejects.toMatchObject({ code: 'head-missing' });
  });
});

describe('report', () => {
  const sums = { live_boxes: 4, shadow_boxes: 4, matched: 3, iou: 2.4, live_ms: 10, shadow_ms: 20 };
  const one = { ...HEAD_SHADOW, frames: 10, leftOut: 1, failed: 0, sums };
  const records: readonly HeadShadow[] = [
    one,
    { ...one, consumer: 'another', leftOut: 2, failed: 5 },
    { ...one, shadowVersion: '3', timeUs: one.timeUs + 1 },
    { ...one, task: 'segmentation' },
  ];

  it('adds up what all consumers say of two heads, the newest pair first', async () => {
    const { type } = await setUp(records);
    const lines = (await type('report', 'detection', '--json')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { shadowVersion: '3', frames: 10, consumers: 1 },
      {
        ...{ liveVersion: '1', shadowVersion: '2', frames: 20, leftOut: 3, failed: 5 },
        ...{ consumers: 2, sums: { live_boxes: 8, matched: 6 } },
        figures: { recall: 0.75, 'live ms': 1, 'shadow ms': 2 },
      },
    ]);
    expect(JSON.parse(lines[1] ?? '').figures['mean IoU']).toBeCloseTo(0.8);
  });

  it('is a table', async () => {
    const { type } = await setUp(records);
    const [titles, , second] = (await type('report', 'detection')).split('\n');
    expect(titles).toMatch(/^LIVE +SHADOW +FRAMES +LEFT OUT +FAILED +CONSUMERS +PRECISION +RECALL/);
    expect(second?.trim().split(/ {2,}/)).toEqual([
      ...['1', '2', '20', '3', '5', '2'],
      ...['0.750', '0.750', '0.750', '0.800', '0.000', '1.000', '2.000'],
    ]);
  });

  it('says so where nothing was compared', async () => {
    const { type } = await setUp(records);
    expect(await type('report', 'classification')).toContain('no head has run in shadow');
    expect(await type('report', 'classification', '--json')).toBe('');
  });
});
