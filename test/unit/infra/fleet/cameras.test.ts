import { describe, expect, it } from 'vitest';
import { readCamerasArguments } from '#infra/fleet/arguments.ts';
import { type Desk, runCamerasCommand } from '#infra/fleet/commands.ts';
import { listText, shownSource } from '#infra/fleet/text.ts';
import { CAMERAS_USAGE, VERB_USAGE, VERBS } from '#infra/fleet/usage.ts';
import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import type { CameraEntry, LiveStatus } from '#producers/fleet/registry.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { wanted } from '#test/contract/registry.ts';
import { Host } from '#test/simulation/host.ts';
import { RegistryLink } from '#test/simulation/registry/registry-link.ts';
import { RegistryServer } from '#test/simulation/registry/registry-server.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

const LIVE: LiveStatus = {
  state: 'online',
  lastFrameAgeMs: 40,
  framesPerSecond: 4.94,
  bytesPerFrame: 2_150,
  dropped: { 'encoder-busy': 3, shutdown: 1 },
  detail: '',
};

/** A registry in memory, an operator who types, and agents. */
class Office {
  readonly time = new VirtualClock();
  readonly #server = new RegistryServer(this.time);
  readonly desk: Desk;
  #printed = '';

  constructor() {
    const host = new Host('operator', this.time);
    const registry = new RegistryLink(this.#server, this.time, seededRandom(1)).open(host);
    const print = async (text: string) => {
      this.#printed += text;
    };
    this.desk = { registry, clock: this.time, print };
  }

  /** What `npx halfsight cameras ...` prints. */
  async type(...args: readonly string[]): Promise<string> {
    this.#printed = '';
    const command = readCamerasArguments(args);
    if (command.verb === 'help') return command.text;
    await runCamerasCommand(this.desk, command);
    return this.#printed;
  }

  /** `stopMs`: how long its cameras take to be published to the end. */
  startAgent(stopMs: number): void {
    const host = new Host('north', this.time);
    const agent = new FleetAgent({
      profile: { agentId: 'north', camerasMax: 2, framesPerSecondMax: 20 },
      registry: new RegistryLink(this.#server, this.time, seededRandom(2)).open(host),
      hooks: {
        onAcquired: () => undefined,
        onChanged: () => undefined,
        onLost: () => host.clock.sleep(stopMs),
        liveOf: () => LIVE,
      },
      clock: host.clock,
      logger: silentLogger,
    });
    agent.start();
  }
}

function run(story: (office: Office) => Promise<void>): Promise<void> {
  const office = new Office();
  return office.time.drive(story(office));
}

describe('npx halfsight cameras', () => {
  it('add wants a camera, once', () =>
    run(async (office) => {
      const source = `rtsp://viewer:\${PASSWORD}@192.0.2.10/1`;
      const options = ['--fps', '8', '--rate-point', '1', '--label', 'site=north', '--disabled'];
      expect(await office.type('add', 'gate', '--source', source, ...options)).toMatch(
        /^gate: added, version \d+\.\n$/,
      );
      expect(await office.desk.registry.get('gate')).toMatchObject({
        ...{ id: 'gate', source, framesPerSecond: 8, ratePoint: 1, enabled: false },
        labels: { site: 'north' },
      });
      await expect(office.type('add', 'gate', '--source', 'a.mp4')).rejects.toMatchObject({
        code: 'camera-conflict',
        message: 'camera gate exists already.',
        advice: 'Change it with npx halfsight cameras set gate.',
      });
    }));

  it('set changes what is named, where nobody was faster', () =>
    run(async (office) => {
      const { registry } = office.desk;
      await registry.put(wanted('gate', { labels: { site: 'north', floor: '1' }, ratePoint: 2 }));
      const before = await registry.get('gate');
      const printed = await office.type('set', 'gate', '--fps', '9', '--label', 'floor=', '--json');
      const { version, ...after } = (await registry.get('gate')) ?? { version: 0 };
      expect(after).toEqual({
        ...wanted('gate', { framesPerSecond: 9, labels: { site: 'north' }, ratePoint: 2 }),
      });
      expect(JSON.parse(printed)).toEqual({ id: 'gate', version });
      expect(await office.type('set', 'gate', '--fps', '9')).toContain('is so already');
      await office.type('set', 'gate', '--rate-point', 'default');
      expect(await registry.get('gate')).not.toHaveProperty('ratePoint');
      await office.type('set', 'gate', '--bytes-per-second', '4000', '--adaptive', 'off');
      await office.type('set', 'gate', '--adaptive', 'on', '--coarsest', 'tiny');
      const rate = { bytesPerSecondMax: 4_000, adaptive: true, coarsest: 'tiny' };
      expect(await registry.get('gate')).toMatchObject({ rate });
      expect(await office.type('show', 'gate')).toMatch(/^rate +adaptive true, bytesPerS.* tiny$/m);
      const agents = ['--bytes-per-second', '--adaptive', '--coarsest'];
      await office.type('set', 'gate', ...agents.flatMap((name) => [name, 'default']));
      expect(await registry.get('gate')).not.toHaveProperty('rate');
      const old = ['--version', String(before?.version)];
      await expect(office.type('set', 'gate', '--fps', '7', ...old)).rejects.toMatchObject({
        code: 'camera-conflict',
        message: expect.stringMatching(/^camera gate has version \d+/),
      });
      await expect(office.type('set', 'yard', '--fps', '7')).rejects.toMatchObject({
        code: 'camera-missing',
        message: 'the registry has no camera "yard".',
      });
    }));

  it('add and set say which heads are wanted, and that all are again', () =>
    run(async (office) => {
      const { registry } = office.desk;
      await office.type('add', 'gate', '--source', 'a.mp4', '--heads', 'detection,segmentation');
      const heads = ['detection', 'segmentation'];
      expect(await registry.get('gate')).toMatchObject({ heads });
      expect(await office.type('show', 'gate')).toMatch(/^heads +detection, segmentation$/m);
      const [json = ''] = (await office.type('list', '--json')).split('\n');
      expect(JSON.parse(json)).toMatchObject({ heads });
      await office.type('set', 'gate', '--heads', 'detection');
      await office.type('set', 'gate', '--fps', '9');
      expect(await registry.get('gate')).toMatchObject({ heads: ['detection'] });
      await office.type('set', 'gate', '--heads', 'all', '--trace-ratio', '0.5');
      expect(await registry.get('gate')).toMatchObject({ traceSampleRatio: 0.5 });
      expect(await office.type('show', 'gate')).toMatch(/^traced +50 % of its frames$/m);
      await office.type('set', 'gate', '--trace-ratio', 'default');
      expect(await registry.get('gate')).not.toHaveProperty('traceSampleRatio');
      expect(await registry.get('gate')).not.toHaveProperty('heads');
      expect(await office.type('show', 'gate')).toMatch(/^heads +all$/m);
      await office.type('add', 'yard', '--source', 'a.mp4', '--heads', 'all');
      expect(await registry.get('yard')).not.toHaveProperty('heads');
    }));

  it('add and set let small pictures leave a camera, and keep them in again', () =>
    run(async (office) => {
      const { registry } = office.desk;
      await office.type('add', 'gate', '--source', 'a.mp4');
      expect(await registry.get('gate')).not.toHaveProperty('preview');
      expect(await office.type('show', 'gate')).toMatch(/^pictures +none leaves it$/m);
      await office.type('set', 'gate', '--preview', '30,160');
      await office.type('set', 'gate', '--fps', '9');
      const preview = { everySeconds: 30, width: 160 };
      expect(await registry.get('gate')).toMatchObject({ preview });
      expect(await office.type('show', 'gate')).toMatch(
        /^pictures +ONE LEAVES IT every 30 s, 160/m,
      );
      await office.type('set', 'gate', '--preview', 'off');
      expect(await registry.get('gate')).not.toHaveProperty('preview');
      await office.type('add', 'yard', '--source', 'a.mp4', '--preview', '5,320');
      expect(await registry.get('yard')).toMatchObject({ preview: { width: 320 } });
      for (const wrong of ['on', '30', '4,160', '30,400', '30,160,1', '']) {
        expect(() => readCamerasArguments(['set', 'gate', '--preview', wrong])).toThrow(
          `--preview must be "off" or SECONDS,PIXELS, 5 to 600 and 32 to 320, but is "${wrong}".`,
        );
      }
    }));

  it('list shows how all are, and why some are nowhere', () =>
    run(async (office) => {
      const { registry } = office.desk;
      expect(await office.type('list')).toBe('0 cameras; no agent is running.\n');
      await registry.put(wanted('a'));
      await registry.put(wanted('b', { framesPerSecond: 30 }));
      await registry.put(wanted('c', { enabled: false }));
      office.startAgent(0);
      await office.time.sleep(12_000);
      const lines = (await office.type('list')).split('\n').map((line) => line.split(/ {2,}/));
      expect(lines.slice(0, 4)).toEqual([
        ['CAMERA', 'STATE', 'OWNER', 'FPS', 'KB/FRAME', 'LAST FRAME', 'DROPS', 'WHY'],
        ['a', 'online', 'north', '4.9/5', '2.1', expect.stringMatching(/ m?s$/), '4'],
        ['b', 'unplaced', '-', '-/30', '-', '-', '-', '1 agent has no room for 30 frames/s'],
        ['c', 'disabled', '-', '-/5', '-', '-', '-'],
      ]);
      expect(lines[4]).toEqual(['3 cameras; north has 1 of 2, 5 of 20 frames/s.']);
      const json = (await office.type('list', '--json')).trim().split('\n');
      expect(json.map((line) => JSON.parse(line))).toMatchObject([
        { id: 'a', placement: { state: 'owned', agentId: 'north' }, live: { state: 'online' } },
        { id: 'b', placement: { state: 'unplaced' }, live: null },
        { id: 'c', placement: { state: 'disabled' }, live: null },
      ]);
      expect(() => readCamerasArguments(['list', 'a'])).toThrow('list takes no "a".');
    }));

  it('show tells everything of one, but no password', () =>
    run(async (office) => {
      const source = 'rtsp://viewer:s3cret@gate/1';
      await office.desk.registry.put(wanted('gate', { source, labels: { site: 'north' } }));
      const shown = await office.type('show', 'gate');
      expect(shown).toMatch(/^source +rtsp:\/\/\*\*\*@gate\/1$/m);
      expect(shown).toMatch(/^why +no agent is running$/m);
      expect(shown).toMatch(/^labels +site=north$/m);
      const json = JSON.parse(await office.type('show', 'gate', '--json'));
      expect(json).toMatchObject({ id: 'gate', source: 'rtsp://***@gate/1' });
      await expect(office.type('show', 'yard')).rejects.toMatchObject({ code: 'camera-missing' });
    }));

  it('remove takes cameras out', () =>
    run(async (office) => {
      for (const id of ['a', 'b']) await office.desk.registry.put(wanted(id));
      expect(await office.type('remove', 'a', 'b')).toBe('a: removed.\nb: removed.\n');
      expect((await office.desk.registry.list()).cameras).toEqual([]);
      await expect(office.type('remove', 'a')).rejects.toMatchObject({ code: 'camera-missing' });
    }));

  it('disable and enable stop and run cameras', () =>
    run(async (office) => {
      const { registry } = office.desk;
      await registry.put(wanted('gate'));
      expect(await office.type('disable', 'gate')).toMatch(/^gate: disabled, version \d+\.\n$/);
      expect(await registry.get('gate')).toMatchObject({ enabled: false });
      expect(await office.type('disable', 'gate')).toContain('is disabled already');
      expect(await office.type('enable', 'gate')).toMatch(/^gate: enabled, version \d+\.\n$/);
      expect(await registry.get('gate')).toMatchObject({ enabled: true });
      for (const verb of ['disable', 'enable'] as const) {
        await expect(office.type(verb, 'yard')).rejects.toMatchObject({ code: 'camera-missing' });
      }
    }));

  it('drain waits until the owner has given the camera back', () =>
    run(async (office) => {
      for (const id of ['a', 'b']) await office.desk.registry.put(wanted(id));
      office.startAgent(4_000);
      await office.time.sleep(3_000);
      const startMs = office.time.monotonicMs();
      const printed = await office.type('drain', 'a');
      expect(printed).toMatch(/^a: disabled, version \d+\.\na: drained\.\n$/);
      expect(office.time.monotonicMs() - startMs).toBeGreaterThan(4_000);
      await expect(office.type('drain', 'b', '--timeout', '2')).rejects.toMatchObject({
        code: 'camera-leaving',
        message: 'not drained yet: b (north).',
      });
      await expect(office.type('drain', 'c')).rejects.toMatchObject({ code: 'camera-missing' });
    }));

  it.each(VERBS)('%s has a help of its own', (verb) => {
    expect(readCamerasArguments([verb, '--help'])).toEqual({
      verb: 'help',
      text: VERB_USAGE[verb],
    });
    expect(VERB_USAGE[verb]).toContain(`Usage: npx halfsight cameras ${verb} `);
    expect(CAMERAS_USAGE).toMatch(new RegExp(`^  ${verb} `, 'm'));
  });

  it.each([
    [['lst'], 'there is no command "lst": there are add, set, list,'],
    [['add', 'gate'], '--source is missing.'],
    [
      ['add', 'gate', '--source', 'synthetic:stret'],
      '--source names no scene: "stret"; did you mean "street"?',
    ],
    [
      ['set', 'gate', '--source', 'ftp://x/y'],
      '--source has the scheme "ftp", but must be rtsp, rtsps, file or synthetic.',
    ],
    [['add', 'a b', '--source', 'a.mp4'], 'camera "a b": id must be 1 to 64 letters'],
    [['set', 'gate'], 'say what to change.'],
    [['set', 'gate', '--fps', 'fast'], '--fps must be a number from 0.1 to 60, but is "fast".'],
    [
      ['set', 'gate', '--trace-ratio', '2'],
      '--trace-ratio must be a number from 0 to 1, but is "2".',
    ],
    [['set', 'gate', '--heads', ''], '--heads must be "all" or NAME,NAME, but is "".'],
    [['set', 'gate', '--heads', 'a,,b'], '--heads must be "all" or NAME,NAME, but is "a,,b".'],
    [['set', 'gate', '--label', 'north'], '--label must be KEY=VALUE, but is "north".'],
    [['show'], 'show takes the id of one camera.'],
    [['remove'], 'remove takes the ids of cameras.'],
    [['enable', 'a', 'b', '--version', '3'], '--version is of one camera.'],
    [['disable', 'a', '--version', 'x'], '--version must be a number from 1'],
    [['drain', 'a', '--timeout', '0'], '--timeout must be a number from 1 to 3600, but is "0".'],
    [['list', '--jsn'], "Unknown option '--jsn'"],
  ])('says what is wrong with %j', (args, message) => {
    expect(() => readCamerasArguments(args)).toThrow(message);
  });
});

describe('what is shown', () => {
  it.each([
    [`rtsp://viewer:\${PW}@gate/1`, `rtsp://viewer:\${PW}@gate/1`],
    [`rtsp://viewer:\${PW}@gate/1?token=abc`, `rtsp://viewer:\${PW}@gate/1?token=***`],
    ['rtsp://viewer:a${b@gate/1', 'rtsp://***@gate/1'],
    ['synthetic:street?seed=1', 'synthetic:street?seed=1'],
  ])('%s as %s', (source, shown) => {
    expect(shownSource(source)).toBe(shown);
  });

  it('an owner that has not told yet, and a camera that is away', () => {
    const placement = { state: 'owned', agentId: 'north', session: 1, token: 1 } as const;
    const camera = { ...wanted('gate'), version: 1 };
    const detail = 'source-failed: connection refused';
    const live = { ...LIVE, state: 'offline', lastFrameAgeMs: null, detail, toldAgeMs: 0 } as const;
    const entries: CameraEntry[] = [
      { camera, placement, live: undefined },
      { camera, placement, live },
    ];
    const lines = listText({ cameras: entries, agents: [] }).split('\n');
    expect(lines[1]).toMatch(/^gate +starting +north +-\/5/);
    expect(lines[2]).toMatch(/^gate +offline +north .* - +4 +source-failed: connection refused$/);
  });
});
