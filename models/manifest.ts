import { Section } from './section.ts';

/** `bundle.json`: what a bundle is and which files it has. Needs no ONNX Runtime. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly created: string;
  readonly input: InputSpec;
  readonly latent: LatentSpec;
  readonly encoder: EncoderSpec;
  readonly tables: { readonly file: string };
  /** In order of their index; 0 is the finest. */
  readonly ratePoints: readonly RatePoint[];
  readonly defaultRatePoint: number;
  readonly body: BodySpec;
  readonly heads: readonly Head[];
  /** Every file of the bundle but bundle.json. */
  readonly files: FileDigests;
}

/** By name of the file. */
export type FileDigests = Readonly<
  Record<string, { readonly sha256: string; readonly bytes: number }>
>;

/** uint8 RGB, rows from the top; the picture is scaled to fit and the rest is filled. */
export interface InputSpec {
  readonly width: number;
  readonly height: number;
  readonly letterbox: {
    readonly anchor: 'centre';
    readonly fill: readonly [number, number, number];
  };
}

export interface LatentSpec {
  readonly channels: number;
  /** Input pixels a latent cell, in both directions. */
  readonly stride: number;
  /**
   * Cells, where they are not the input's sides over the stride: an encoder whose last convolution
   * has no padding makes one row and one column less.
   */
  readonly width: number;
  readonly height: number;
}

/** Values are names of the ONNX file's tensors. */
export interface EncoderSpec {
  readonly file: string;
  readonly image: string;
  readonly ratePoint: string;
  readonly latent: string;
  /** What it costs a camera, where whoever made the bundle counted: see models/bundling/cost.py. */
  readonly cost?: { readonly macs: number; readonly parameterBits: number };
}

export interface RatePoint {
  readonly index: number;
  readonly name: string;
  /** SHA-256 of its probability tables, hex; see codec/tables.ts. */
  readonly tableHash: string;
  readonly typicalBytes: number;
}

export interface BodySpec {
  readonly file: string;
  readonly latent: string;
  readonly ratePoint: string;
  /** Names of the outputs that heads take as inputs. */
  readonly features: readonly string[];
}

interface HeadBase {
  readonly version: string;
  readonly file: string;
  /** Names of features, and `content`: the picture's place in the input, as fractions. */
  readonly inputs: readonly string[];
  /** File with a JSON list of names; the class id is the index. */
  readonly labels: string;
}

export interface ClassificationHead extends HeadBase {
  readonly task: 'classification';
  readonly outputs: { readonly probabilities: string };
  readonly topK: number;
}

export interface DetectionHead extends HeadBase {
  readonly task: 'detection';
  readonly outputs: { readonly boxes: string; readonly scores: string; readonly classes: string };
  readonly scoreMin: number;
  /** Boxes of one class that overlap more are one object. */
  readonly iouMax: number;
}

export interface SegmentationHead extends HeadBase {
  readonly task: 'segmentation';
  readonly outputs: { readonly classMap: string };
  /** Class id that gets no mask. */
  readonly background: number;
}

export type Head = ClassificationHead | DetectionHead | SegmentationHead;

const FORMAT = 'halfsight-bundle/1';
/** A side or a count that no real bundle reaches; keeps nonsense out of allocations. */
const COUNT_MAX = 65_535;
/** Convolutions without padding take a cell or two off each side, not more. */
const LATENT_CELLS_LESS_MAX = 4;

/** Throws `bundle-invalid` naming the key that is wrong. Keys that it does not know are ignored. */
export function parseManifest(json: unknown): Manifest {
  const root = new Section(json, 'bundle.json', 'bundle-invalid');
  const format = root.text('format');
  if (format !== FORMAT) root.refuse('format', `"${format}", and this program reads "${FORMAT}"`);
  const input = parseInput(root.section('input'));
  const manifest: Manifest = {
    name: root.text('name'),
    version: root.text('version'),
    description: root.text('description'),
    license: root.text('license'),
    created: root.text('created'),
    input,
    latent: parseLatent(root.section('latent'), input),
    encoder: parseEncoder(root.section('encoder')),
    tables: { file: root.section('tables').file('file') },
    ratePoints: root.sections('ratePoints').map(parseRatePoint),
    defaultRatePoint: root.integer('defaultRatePoint', 0, 255),
    body: parseBody(root.section('body')),
    heads: root.sections('heads').map(parseHead),
    files: parseFiles(root.section('files')),
  };
  checkReferences(root, manifest);
  return manifest;
}

/** Files that the manifest speaks of, bundle.json aside. */
export function filesOf(manifest: Manifest): string[] {
  const { encoder, tables, body, heads } = manifest;
  return [
    encoder.file,
    tables.file,
    body.file,
    ...heads.flatMap(({ file, labels }) => [file, labels]),
  ];
}

function parseInput(section: Section): InputSpec {
  section.constant('layout', 'NHWC');
  section.constant('dtype', 'uint8');
  section.constant('colour', 'RGB');
  const letterbox = section.section('letterbox');
  letterbox.constant('anchor', 'centre');
  const [red, green, blue] = letterbox.integers('fill', 3, 255) as [number, number, number];
  return {
    width: section.integer('width', 1, COUNT_MAX),
    height: section.integer('height', 1, COUNT_MAX),
    letterbox: { anchor: 'centre', fill: [red, green, blue] },
  };
}

/** `width` and `height` may be left out, both or neither, where the stride divides the input. */
function parseLatent(section: Section, input: InputSpec): LatentSpec {
  section.constant('dtype', 'int32');
  const channels = section.integer('channels', 1, COUNT_MAX);
  const stride = section.integer('stride', 1, COUNT_MAX);
  const { width, height } = input;
  if (section.has('width') || section.has('height')) {
    const cells = (key: string, side: number) => {
      const most = Math.ceil(side / stride);
      return section.integer(key, Math.max(1, most - LATENT_CELLS_LESS_MAX), most);
    };
    return { channels, stride, width: cells('width', width), height: cells('height', height) };
  }
  if (width % stride !== 0 || height % stride !== 0) {
    section.refuse('stride', `${stride}, which does not divide the input of ${width}x${height}`);
  }
  return { channels, stride, width: width / stride, height: height / stride };
}

function parseEncoder(section: Section): EncoderSpec {
  return {
    file: section.file('file'),
    image: section.text('image'),
    ratePoint: section.text('ratePoint'),
    latent: section.text('latent'),
    ...(section.keys().includes('cost') && { cost: parseCost(section.section('cost')) }),
  };
}

function parseCost(section: Section) {
  return {
    macs: section.integer('macs', 0, Number.MAX_SAFE_INTEGER),
    parameterBits: section.integer('parameterBits', 0, Number.MAX_SAFE_INTEGER),
  };
}

function parseRatePoint(section: Section, position: number): RatePoint {
  return {
    index: section.integer('index', position, position),
    name: section.text('name'),
    tableHash: section.digest('tableHash'),
    typicalBytes: section.number('typicalBytes', 0, Number.MAX_SAFE_INTEGER),
  };
}

function parseBody(section: Section): BodySpec {
  return {
    file: section.file('file'),
    latent: section.text('latent'),
    ratePoint: section.text('ratePoint'),
    features: section.texts('features'),
  };
}

export function parseHead(section: Section): Head {
  const base: HeadBase = {
    version: section.text('version'),
    file: section.file('file'),
    inputs: section.texts('inputs'),
    labels: section.file('labels'),
  };
  const task = section.text('task');
  const outputs = section.section('outputs');
  switch (task) {
    case 'classification':
      return {
        ...base,
        task,
        outputs: { probabilities: outputs.text('probabilities') },
        topK: section.integer('topK', 1, COUNT_MAX),
      };
    case 'detection':
      return {
        ...base,
        task,
        outputs: {
          boxes: outputs.text('boxes'),
          scores: outputs.text('scores'),
          classes: outputs.text('classes'),
        },
        scoreMin: section.number('scoreMin', 0, 1),
        iouMax: section.number('iouMax', 0, 1),
      };
    case 'segmentation':
      return {
        ...base,
        task,
        outputs: { classMap: outputs.text('classMap') },
        background: section.integer('background', 0, COUNT_MAX),
      };
    default:
      return section.refuse('task', `"${task}", which is no task of this program`);
  }
}

export function parseFiles(section: Section): FileDigests {
  const entries = section.keys().map((name) => {
    section.checkFileName(name, name);
    const entry = section.section(name);
    const bytes = entry.integer('bytes', 0, Number.MAX_SAFE_INTEGER);
    return [name, { sha256: entry.digest('sha256'), bytes }] as const;
  });
  return Object.fromEntries(entries);
}

/** What one key says about another. */
function checkReferences(root: Section, manifest: Manifest): void {
  const { ratePoints, defaultRatePoint, body, heads, files } = manifest;
  for (const file of filesOf(manifest)) {
    if (!Object.hasOwn(files, file)) root.refuse('files', `without "${file}", which is used`);
  }
  if (ratePoints.length === 0) root.refuse('ratePoints', 'empty');
  if (defaultRatePoint >= ratePoints.length) {
    root.refuse('defaultRatePoint', `${defaultRatePoint} of ${ratePoints.length} rate points`);
  }
  if (heads.length === 0) root.refuse('heads', 'empty');
  heads.forEach((head, index) => {
    const key = `heads[${index}]`;
    if (heads.findIndex(({ task }) => task === head.task) !== index) {
      root.refuse(`${key}.task`, `"${head.task}", which another head has`);
    }
    for (const name of head.inputs) {
      if (name === 'content' || body.features.includes(name)) continue;
      root.refuse(`${key}.inputs`, `with "${name}", which the body does not make`);
    }
  });
}
