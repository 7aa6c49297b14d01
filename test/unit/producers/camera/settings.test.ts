import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseHeads } from '#producers/camera/heads-choice.ts';
import {
  AGENT_MANUAL,
  type AgentSettings,
  chooseRates,
  defaultWorkers,
  parseAgentSettings,
  type SettingsEnvironment,
} from '#producers/camera/settings.ts';
import { ConfigFile } from '#runtime/config-file.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS } from '#schemas/result.ts';

const EXAMPLE = join(import.meta.dirname, '../../../../producers/camera/camera-agent.example.yaml');

function environment(
  variables: Record<string, string> = {},
  overrides: Partial<SettingsEnvironment> = {},
): SettingsEnvironment {
  return {
    bundleDirectory: '/shipped/bundle',
    kafkaBrokers: undefined,
    topicPrefix: variables.KAFKA_TOPIC_PREFIX ?? 'halfsight',
    lookup: (name) => variables[name],
    ...overrides,
  };
}

function read(text: string, env: SettingsEnvironment = environment()): AgentSettings {
  return parseAgentSettings(
    new ConfigFile('agent.yaml', text, AGENT_MANUAL),
    '/etc/halfsight',
    env,
  );
}

/** The mistakes of a text, one by one. */
function mistakes(text: string, env: SettingsEnvironment = environment()): string[] {
  try {
    read(text, env);
  } catch (error) {
    expect(error).toBeInstanceOf(HalfsightError);
    const { code, message } = error as HalfsightError;
    expect(code).toBe('config-invalid');
    return message
      .replace(/^\d+ mistakes: /, '')
      .replace(/\.$/, '')
      .split(/(?<=\)); /);
  }
  return [];
}

const ID_MEANING = '1 to 64 letters, digits, ".", "_" or "-"';
const SCHEMES = 'rtsp, rtsps, file or synthetic';
const GATE = 'cameras:\n  - id: gate\n    source: synthetic:street\n';

it.each([
  { cores: 1, threadsPerWorker: 1, workers: 1 },
  { cores: 4, threadsPerWorker: 1, workers: 3 },
  { cores: 64, threadsPerWorker: 1, workers: 4 },
  { cores: 8, threadsPerWorker: 4, workers: 1 },
  { cores: 16, threadsPerWorker: 4, workers: 3 },
])('$workers encoder threads of $threadsPerWorker for $cores cores', (row) => {
  expect(defaultWorkers(row.cores, row.threadsPerWorker)).toBe(row.workers);
});

describe('camera agent settings', () => {
  it('fills in what is not given', () => {
    const settings = read(GATE);
    expect(settings).toMatchObject({
      bundleDirectory: '/shipped/bundle',
      ratePoint: undefined,
      threadsPerWorker: 1,
      brokers: undefined,
      topicPrefix: 'halfsight',
      traceSampleRatio: 0.01,
    });
    expect(settings.agentId).not.toBe('');
    expect(settings.encoderWorkers).toBe(defaultWorkers(availableParallelism(), 1));
    expect(settings.cameras).toEqual([
      {
        id: 'gate',
        source: { kind: 'synthetic', scene: 'street', seed: 1, width: 1280, height: 720 },
        framesPerSecond: 5,
        ratePoint: undefined,
        enabled: true,
      },
    ]);
  });

  it('reads the share of its frames that a camera wants traced', () => {
    const ratio = (text: string) => `${GATE}    traceSampleRatio: ${text}\n`;
    expect(read(ratio('0.5')).cameras[0]?.traceSampleRatio).toBe(0.5);
    expect(read(GATE).cameras[0]?.traceSampleRatio).toBeUndefined();
    expect(mistakes(ratio('2'))).toEqual([
      'cameras[0].traceSampleRatio: must be a number from 0 to 1, but is 2 (agent.yaml:4)',
    ]);
  });

  it('lets pictures leave a camera only where all that it needs is said', () => {
    const preview = (text: string) => `${GATE}    preview: ${text}\n`;
    expect(read(GATE).cameras[0]?.preview).toBeUndefined();
    expect(read(preview('{everySeconds: 30, width: 160}')).cameras[0]?.preview).toEqual({
      ...{ everySeconds: 30, width: 160 },
    });
    const at = '(agent.yaml:4)';
    expect(mistakes(preview('{everySeconds: 4.9, width: 321}'))).toEqual([
      `cameras[0].preview.everySeconds: must be a number from 5 to 600, but is 4.9 ${at}`,
      `cameras[0].preview.width: must be a whole number from 32 to 320, but is 321 ${at}`,
    ]);
    expect(mistakes(preview('{}'))).toEqual([
      `cameras[0].preview.everySeconds: must be given ${at}`,
      `cameras[0].preview.width: must be given ${at}`,
    ]);
    expect(mistakes(preview('true')).join()).toContain('cameras[0].preview');
    expect(mistakes(`preview: {everySeconds: 30, width: 160}\n${GATE}`), 'of all').toHaveLength(1);
  });

  it('reads the heads that a camera wants, of those of the bundle', () => {
    const offered = { heads: TASKS.map((task) => ({ task })) };
    const chosen = (text: string) => chooseHeads(read(text).cameras, offered);
    const heads = (list: string) => `${GATE}    heads: ${list}\n  - {id: b, source: a.mp4}\n`;
    expect([...chosen(heads('[segmentation, detection]'))]).toEqual([
      ['gate', ['detection', 'segmentation']],
    ]);
    expect(() => chosen(heads('[detection, pose]'))).toThrow(
      'cameras[0].heads: "pose" is no head of the bundle: ' +
        'classification, detection, segmentation (agent.yaml:4).',
    );
    expect(mistakes(heads('[]'))).toEqual([
      'cameras[0].heads: must name at least one head; leave it out for all of them (agent.yaml:4)',
    ]);
    expect(mistakes(heads('detection'))).toEqual([
      'cameras[0].heads: must be a list of texts (agent.yaml:4)',
    ]);
  });

  it('reads every form of source', () => {
    const sources = [
      'rtsp://10.0.0.1/a',
      'rtsps://user:pass@cam.example:322/b?x=1',
      'clips/a b.mp4',
      '/data/c.mkv',
      'file:///data/d.mp4',
      'synthetic:yard?seed=7&width=640&height=480',
    ];
    const cameras = sources.map((source, index) => `  - {id: c${index}, source: "${source}"}\n`);
    const parsed = read(`cameras:\n${cameras.join('')}`).cameras.map(({ source }) => source);
    expect(parsed).toEqual([
      { kind: 'ffmpeg', url: 'rtsp://10.0.0.1/a', loop: false },
      { kind: 'ffmpeg', url: 'rtsps://user:pass@cam.example:322/b?x=1', loop: false },
      { kind: 'ffmpeg', url: '/etc/halfsight/clips/a b.mp4', loop: false },
      { kind: 'ffmpeg', url: '/data/c.mkv', loop: false },
      { kind: 'ffmpeg', url: '/data/d.mp4', loop: false },
      { kind: 'synthetic', scene: 'yard', seed: 7, width: 640, height: 480 },
    ]);
  });

  it('names key, value and line of each mistake, all at once', () => {
    const text = [
      'agent:',
      '  encoderWorkers: many',
      'trace:',
      '  sampleRatio: 2',
      'cameras:',
      '  - id: gate',
      '    source: synthetic:street',
      '    fps: fast',
      '  - id: "no spaces"',
      '    source: ftp://x/y',
      '    enabled: maybe',
      '  - source: synthetic:street',
      '  - gate',
    ];
    expect(mistakes(text.join('\n'))).toEqual([
      'agent.encoderWorkers: must be a whole number from 1 to 64, but is "many" (agent.yaml:2)',
      'trace.sampleRatio: must be a number from 0 to 1, but is 2 (agent.yaml:4)',
      'cameras[0].fps: must be a number from 0.1 to 60, but is "fast" (agent.yaml:8)',
      `cameras[1].id: must be ${ID_MEANING}, but is "no spaces" (agent.yaml:9)`,
      `cameras[1].source: has the scheme "ftp", but must be ${SCHEMES} (agent.yaml:10)`,
      'cameras[1].enabled: must be true or false, but is "maybe" (agent.yaml:11)',
      'cameras[2].id: must be given (agent.yaml:12)',
      'cameras[3]: must hold keys and values (agent.yaml:13)',
    ]);
  });

  it.each([
    [
      `${GATE}    rate_point: 1\n`,
      'cameras[0].rate_point: is no setting; did you mean "ratePoint"?',
    ],
    [`${GATE}    fsp: 1\n`, 'cameras[0].fsp: is no setting; known here: '],
    [`camera:\n  - id: a\n${GATE}`, 'camera: is no setting; did you mean "cameras"?'],
    [`agent:\n  encoderworkers: 1\n${GATE}`, 'did you mean "encoderWorkers"?'],
    [GATE.replace('street', 'stret'), 'names no scene: "stret"; did you mean "street"?'],
    [GATE.replace('street', 'street?sed=1'), 'has no parameter "sed"; did you mean "seed"?'],
  ])('knows what was meant: %j', (text, expected) => {
    expect(mistakes(text).join('; ')).toContain(expected);
  });

  it('rejects an id that is used twice, naming the first', () => {
    const text = `${GATE}  - id: other\n    source: a.mp4\n  - id: gate\n    source: b.mp4\n`;
    expect(mistakes(text)).toEqual([
      'cameras[2].id: "gate" is already the id of cameras[0] (agent.yaml:6)',
    ]);
  });

  it('rejects more cameras than an agent may have, but not disabled ones', () => {
    const list = (count: number, more = '') => {
      const items = Array.from(
        { length: count },
        (_, n) => `  - {id: c${n}, source: a.mp4${more}}`,
      );
      return ['cameras:', ...items].join('\n');
    };
    const max = LIMITS.camerasPerAgentMax;
    expect(mistakes(list(max))).toEqual([]);
    expect(mistakes(list(max + 1))[0]).toContain(`cameras: must be at most ${max} in one agent`);
    expect(mistakes(list(max + 1, ', enabled: false'))).toEqual([]);
  });

  it('rejects a file without cameras, an empty file, and one that is no YAML', () => {
    expect(mistakes('cameras: []')).toEqual([
      'cameras: must list at least one camera (agent.yaml:1)',
    ]);
    expect(mistakes('')).toEqual(['cameras: must list at least one camera (agent.yaml:1)']);
    expect(mistakes('- a\n- b')[0]).toBe('agent.yaml: must hold keys and values (agent.yaml:1)');
    expect(mistakes('agent:\n  id: "x\ncameras: []\n')[0]).toMatch(/\(agent\.yaml:\d\)$/);
    expect(mistakes(`${GATE}${GATE}`)[0]).toMatch(/unique.*\(agent\.yaml:4\)/);
  });

  it('takes part in a fleet in place of cameras of its own', () => {
    const settings = read('fleet: {framesPerSecondMax: 40}');
    expect(settings.cameras).toEqual([]);
    expect(settings.fleet).toEqual({
      camerasMax: LIMITS.camerasPerAgentMax,
      framesPerSecondMax: 40,
      folder: '/etc/halfsight',
    });
    expect(read('fleet: {camerasMax: 3, framesPerSecondMax: 9.5}').fleet).toMatchObject({
      camerasMax: 3,
      framesPerSecondMax: 9.5,
    });
    expect(read(GATE).fleet).toBeUndefined();
  });

  it.each([
    [
      `fleet: {framesPerSecondMax: 40}\n${GATE}`,
      ['cameras: must be left out where there is "fleet": the registry has the cameras'],
    ],
    ['fleet:', ['fleet.framesPerSecondMax: must be given: what the encoders can do together']],
    [
      'fleet: {camerasMax: 513, fps: 1}',
      [
        'fleet.camerasMax: must be a whole number from 1 to 512, but is 513',
        'fleet.framesPerSecondMax: must be given: what the encoders can do together',
        'fleet.fps: is no setting; known here: camerasMax, framesPerSecondMax',
      ],
    ],
  ])('names the mistakes of a fleet: %j', (text, expected) => {
    expect(mistakes(text).map((one) => one.replace(/ \(agent\.yaml:\d\)$/, ''))).toEqual(expected);
  });

  it('rejects loop for what cannot loop', () => {
    expect(mistakes(`${GATE}    loop: true\n`)).toEqual([
      'cameras[0].loop: is for files only (agent.yaml:4)',
    ]);
  });

  it('puts secrets in from the environment, and repeats them in no error', () => {
    const text = GATE.replace('synthetic:street', `rtsp://u:\${PASSWORD}@cam/x`);
    const [camera] = read(text, environment({ PASSWORD: 's3cret' })).cameras;
    expect(camera?.source).toMatchObject({ url: 'rtsp://u:s3cret@cam/x' });
    expect(mistakes(text)).toEqual([
      'cameras[0].source: environment variable PASSWORD is not set (agent.yaml:3)',
    ]);
    const broken = mistakes(
      GATE.replace('synthetic:street', `rtsp://u:\${PASSWORD}@`),
      environment({ PASSWORD: 's3cret' }),
    );
    expect(mistakes(`${text}    enabled: false\n`), 'not needed while it is off').toEqual([]);
    expect(mistakes(`${text}    loop: true\n`), 'and no mistake is blamed on it').toHaveLength(1);
    expect(broken).toEqual(['cameras[0].source: is no rtsp://host/path URL (agent.yaml:3)']);
  });

  it('lets the environment beat the file', () => {
    const text = `agent: {bundle: mine}\nkafka: {brokers: [a:1]}\ntopics: {prefix: site}\n${GATE}`;
    expect(read(text)).toMatchObject({
      bundleDirectory: '/etc/halfsight/mine',
      brokers: ['a:1'],
      topicPrefix: 'site',
    });
    const variables = { KAFKA_TOPIC_PREFIX: 'env', HALFSIGHT_BUNDLE: '/env/bundle' };
    const overrides = { kafkaBrokers: ['b:2'], bundleDirectory: '/env/bundle' };
    expect(read(text, environment(variables, overrides))).toMatchObject({
      bundleDirectory: '/env/bundle',
      brokers: ['b:2'],
      topicPrefix: 'env',
    });
  });

  it('is wholly explained by the example, which is right as it stands', () => {
    const text = readFileSync(EXAMPLE, 'utf8');
    const file = new ConfigFile('camera-agent.example.yaml', text, AGENT_MANUAL);
    const settings = parseAgentSettings(file, '/etc/halfsight', environment());
    expect(settings.cameras.filter(({ enabled }) => enabled)).toHaveLength(1);
    for (const key of file.keysKnown) {
      const name = key.split('.').at(-1) ?? key;
      expect(text, `the manual says nothing of ${key}`).toMatch(
        new RegExp(`^[\\s#-]*${name}:`, 'm'),
      );
    }
  });
});

describe('chooseRates', () => {
  const offered = {
    defaultRatePoint: 1,
    ratePoints: [
      { index: 0, name: 'fine' },
      { index: 1, name: 'medium' },
    ],
  };

  it("takes the camera's, else the agent's, else the bundle's", () => {
    const cameras = `${GATE}    ratePoint: fine\n  - id: b\n    source: a.mp4\n`;
    const chosen = chooseRates(read(cameras), offered);
    expect([...chosen].map(([id, { finest }]) => [id, finest])).toEqual([
      ['gate', 0],
      ['b', 1],
    ]);
    const settings = read(`agent: {ratePoint: 0}\n${GATE}`);
    expect(chooseRates(settings, offered).get('gate')?.finest).toBe(0);
  });

  it('takes each bound from the camera, else from the agent, else what is usual', () => {
    const all = 'rate: {bytesPerSecondMax: 9000, coarsest: fine, framesPerSecondMin: 2}\n';
    const own = '    ratePoint: 0\n    rate: {bytesPerSecondMax: 500, adaptive: false}\n';
    const usual = { framesPerSecondMax: 5, bytesPerFrameMax: LIMITS.bitstreamBytesMaxDefault };
    expect(chooseRates(read(`${all}${GATE}${own}`), offered).get('gate')).toEqual({
      ...{ ...usual, finest: 0, coarsest: 0, framesPerSecondMin: 2 },
      ...{ bytesPerSecondMax: 500, adaptive: false },
    });
    expect(chooseRates(read(GATE), offered).get('gate')).toEqual({
      ...{ ...usual, finest: 1, coarsest: 1, framesPerSecondMin: 1 },
      ...{ bytesPerSecondMax: Infinity, adaptive: true },
    });
  });

  it('reads whose lag counts', () => {
    expect(read(GATE).rate.lag).toBeUndefined();
    const lag = { groupId: 'brain', lagMsMax: 20_000 };
    expect(read(`rate: {lagGroup: brain, lagSecondsMax: 20}\n${GATE}`).rate.lag).toEqual(lag);
    expect(mistakes(`rate: {lagSecondsMax: 20}\n${GATE}`)).toEqual([
      'rate.lagSecondsMax: needs rate.lagGroup (agent.yaml:1)',
    ]);
    expect(mistakes(`${GATE}    rate: {bytesPerSecondMax: 5, fine: 1}\n`)).toEqual([
      'cameras[0].rate.bytesPerSecondMax: ' +
        'must be a number from 100 to 100000000, but is 5 (agent.yaml:4)',
      expect.stringMatching(/^cameras\[0\]\.rate\.fine: is no setting/),
    ]);
  });

  it('names the key and line of one that the bundle lacks', () => {
    const settings = read(`${GATE}    ratePoint: coarse\n`);
    expect(() => chooseRates(settings, offered)).toThrow(
      'cameras[0].ratePoint: "coarse" is no rate point of the bundle: ' +
        'fine (0), medium (1) (agent.yaml:4)',
    );
  });
});
