import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { decodeCameraStatus, encodeCameraStatus } from '#schemas/camera-status.ts';
import { decodeDeadLetter, encodeDeadLetter } from '#schemas/dead-letter.ts';
import { decodeDeadLetterAction, encodeDeadLetterAction } from '#schemas/dead-letter-action.ts';
import { decodeFrame, encodeFrame, frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodeHeadShadow, encodeHeadShadow } from '#schemas/head-shadow.ts';
import { decodePreview, encodePreview } from '#schemas/preview.ts';
import { RECORD_TYPES, type RecordTypeName, resolverOf } from '#schemas/record-type.ts';
import { decodeResult, encodeResult, type Result } from '#schemas/result.ts';
import {
  CAMERA_STATUS,
  CLASSIFICATION,
  DEAD_LETTER,
  DEAD_LETTER_ACTION,
  DETECTION,
  FRAME,
  HEAD_SHADOW,
  PREVIEW,
  plain,
  SEGMENTATION,
} from './samples.ts';

const framing = singleObjectFraming();
const NO_PROFILE = { ratePoint: null, framesPerSecondLimit: null, profileChanges: 0 };

interface Sample {
  readonly value: object;
  /** What older versions did not say, as readers get it: by version. */
  readonly before?: Readonly<Record<string, object>>;
  encode(): Uint8Array;
  decode(record: Uint8Array | null): unknown;
}

const withoutHeadDigest = ({ lineage }: Result) => ({ lineage: { ...lineage, headDigest: '' } });

const SAMPLES: Record<RecordTypeName, Sample> = {
  frame: {
    value: FRAME,
    before: { v1: { heads: null } },
    encode: () => encodeFrame(FRAME, framing),
    decode: (record) => decodeFrame(record, framing),
  },
  classification: {
    value: CLASSIFICATION,
    before: {
      v1: { ...withoutHeadDigest(CLASSIFICATION), redrives: 0, status: 'ok' },
      v2: { ...withoutHeadDigest(CLASSIFICATION), status: 'ok' },
      v3: { status: 'ok' },
    },
    encode: () => encodeResult(CLASSIFICATION, framing),
    decode: (record) => decodeResult('classification', record, framing),
  },
  detection: {
    value: DETECTION,
    before: {
      v1: { ...withoutHeadDigest(DETECTION), redrives: 0 },
      v2: withoutHeadDigest(DETECTION),
    },
    encode: () => encodeResult(DETECTION, framing),
    decode: (record) => decodeResult('detection', record, framing),
  },
  segmentation: {
    value: SEGMENTATION,
    before: {
      v1: { ...withoutHeadDigest(SEGMENTATION), redrives: 0 },
      v2: withoutHeadDigest(SEGMENTATION),
    },
    encode: () => encodeResult(SEGMENTATION, framing),
    decode: (record) => decodeResult('segmentation', record, framing),
  },
  'dead-letter': {
    value: DEAD_LETTER,
    before: { v1: { bundleName: '', bundleVersion: '', stack: null, redrives: 0 } },
    encode: () => encodeDeadLetter(DEAD_LETTER, framing),
    decode: (record) => decodeDeadLetter(record, framing),
  },
  'dead-letter-action': {
    value: DEAD_LETTER_ACTION,
    encode: () => encodeDeadLetterAction(DEAD_LETTER_ACTION, framing),
    decode: (record) => decodeDeadLetterAction(record, framing),
  },
  'head-shadow': {
    value: HEAD_SHADOW,
    encode: () => encodeHeadShadow(HEAD_SHADOW, framing),
    decode: (record) => decodeHeadShadow(record, framing),
  },
  'camera-status': {
    value: CAMERA_STATUS,
    before: {
      v1: { interrupted: false, ...NO_PROFILE, sendsPictures: false },
      v2: { ...NO_PROFILE, sendsPictures: false },
      v3: { sendsPictures: false },
    },
    encode: () => encodeCameraStatus(CAMERA_STATUS, framing),
    decode: (record) => decodeCameraStatus(record, framing),
  },
  preview: {
    value: PREVIEW,
    encode: () => encodePreview(PREVIEW, framing),
    decode: (record) => decodePreview(record, framing),
  },
};

const golden = JSON.parse(
  readFileSync(new URL('../../golden/avro-records.json', import.meta.url), 'utf8'),
) as { records: { name: RecordTypeName; version: string; record: string }[] };

function codeOfDecoding(sample: Sample, record: Uint8Array | null): string {
  try {
    sample.decode(record);
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
  return 'nothing';
}

for (const [name, sample] of Object.entries(SAMPLES)) {
  describe(`a ${name} record`, () => {
    it('comes back', () => {
      expect(plain(sample.decode(sample.encode()))).toEqual(plain(sample.value));
    });

    it('is the same bytes as fastavro writes', () => {
      const vectors = golden.records.filter((entry) => entry.name === name);
      const last = vectors.at(-1);
      expect(Buffer.from(sample.encode()).toString('hex')).toBe(last?.record);
      for (const { record, version } of vectors) {
        const decoded = plain(sample.decode(Buffer.from(record, 'hex')));
        const value = { ...sample.value, ...sample.before?.[version] };
        expect(decoded, version).toEqual(plain(value));
      }
    });

    it('is refused when it is missing, cut anywhere, or longer than it should be', () => {
      const record = sample.encode();
      expect(codeOfDecoding(sample, null)).toBe('record-empty');
      expect(codeOfDecoding(sample, new Uint8Array())).toBe('record-empty');
      for (let length = 1; length < record.length; length++) {
        const code = codeOfDecoding(sample, record.subarray(0, length));
        expect(code, `${length} of ${record.length}`).toBe('record-truncated');
      }
      const longer = Buffer.concat([record, Buffer.of(0)]);
      expect(codeOfDecoding(sample, longer)).toBe('record-malformed');
    });

    it('is refused when its schema is unknown', () => {
      const record = sample.encode();
      record[4] = (record[4] ?? 0) ^ 1;
      expect(codeOfDecoding(sample, record)).toBe('schema-unknown');
      expect(codeOfDecoding(sample, Buffer.from('{"json": true}'))).toBe('schema-unknown');
      expect(codeOfDecoding(sample, Buffer.from('0000000007', 'hex'))).toBe('schema-unknown');
    });

    it('ends in a HalfsightError or a value, and soon, whatever is damaged', () => {
      const record = sample.encode();
      const edit = fc.record({
        at: fc.integer({ min: 10, max: record.length - 1 }),
        value: fc.oneof(fc.constantFrom(0x7f, 0x80, 0xff, 0xfe, 0), fc.nat(255)),
      });
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 12 }), (edits) => {
          const damaged = Uint8Array.from(record);
          for (const { at, value } of edits) damaged[at] = value;
          try {
            sample.decode(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(HalfsightError);
          }
        }),
        { numRuns: 1500 },
      );
    });
  });
}

describe('a frame that means nothing is refused at both ends', () => {
  const bad: Record<string, Partial<typeof FRAME>> = {
    'a camera id with a slash': { cameraId: 'gate/2' },
    'an empty camera id': { cameraId: '' },
    'a camera id that is too long': { cameraId: 'x'.repeat(65) },
    'a negative sequence': { sequence: -1 },
    'a negative epoch': { epoch: -1 },
    'no source size': { sourceWidth: 0 },
    'no input size': { inputHeight: 0 },
    'content beyond the input': { content: { x: 1, y: 0, width: 416, height: 416 } },
    'content of no width': { content: { x: 1, y: 0, width: 0, height: 416 } },
    'a negative rate point': { ratePoint: -1 },
    'a negative count of drops': { dropped: { 'encoder-busy': -1 } },
    'an empty bitstream': { bitstream: new Uint8Array() },
    'a digest of another length': { bundleDigest: new Uint8Array(31) },
    'a list of no heads': { heads: [] },
    'the name of a head with a space': { heads: ['detection', 'a b'] },
    'more heads than there can be': {
      heads: Array.from({ length: LIMITS.headsPerCameraMax + 1 }, (_, index) => `head-${index}`),
    },
  };
  for (const [what, change] of Object.entries(bad)) {
    it(what, () => {
      expect(() => encodeFrame({ ...FRAME, ...change }, framing)).toThrow(
        expect.toSatisfy((error) => codeOf(error) === 'record-malformed'),
      );
    });
  }

  it('a sequence made negative in the bytes', () => {
    const record = encodeFrame({ ...FRAME, cameraId: 'a', epoch: 1, sequence: 1 }, framing);
    // Header, length and letter of the camera, epoch 1 as 02, then sequence 1 as 02: 01 is -1.
    expect(Buffer.from(record.subarray(10, 14)).toString('hex')).toBe('02610202');
    record[13] = 1;
    expect(() => decodeFrame(record, framing)).toThrow('sequence -1 is negative');
  });

  it('a list of heads made empty in the bytes', () => {
    const record = Buffer.from(encodeFrame({ ...FRAME, heads: ['a'] }, framing));
    // Branch 1 of the union, one item of one letter, the end of the list, then the bitstream.
    const at = record.indexOf(Buffer.from('0202026100', 'hex'));
    const empty = Buffer.concat([record.subarray(0, at), Buffer.of(2), record.subarray(at + 4)]);
    expect(() => decodeFrame(empty, framing)).toThrow('heads names none');
  });

  it('a value that its Avro type cannot hold', () => {
    const frame = { ...FRAME, ratePoint: 0.5 };
    expect(() => encodeFrame(frame, framing)).toThrow('frame record cannot be written');
  });
});

describe('results that mean nothing are refused', () => {
  const first = DETECTION.detections[0];
  const withDetection = (change: object) => () =>
    encodeResult({ ...DETECTION, detections: [{ ...first, ...change } as never] }, framing);

  it('scores and boxes outside 0 to 1, NaN, corners the wrong way round', () => {
    expect(withDetection({ score: 1.01 })).toThrow('score 1.01 is not between 0 and 1');
    expect(withDetection({ score: Number.NaN })).toThrow('score NaN');
    expect(withDetection({ classId: -1 })).toThrow('class_id -1');
    expect(withDetection({ box: [0, 0, 1.5, 1] })).toThrow('box 1.5');
    expect(withDetection({ box: [0.5, 0, 0.25, 1] })).toThrow('wrong way round');
  });

  it('a mask of no size', () => {
    const [mask] = SEGMENTATION.masks;
    const masks = [{ ...mask, mask: { height: 0, width: 2, counts: '2' } } as never];
    expect(() => encodeResult({ ...SEGMENTATION, masks }, framing)).toThrow('mask size 2x0');
  });

  it('a frame_id that is not that of its other fields', () => {
    const record = Buffer.from(encodeResult(DETECTION, framing));
    const at = record.indexOf(frameId(DETECTION));
    expect(at).toBeGreaterThan(0);
    record[at] = 'x'.charCodeAt(0);
    expect(() => decodeResult('detection', record, framing)).toThrow(/frame_id x/);
  });

  it('a record of another task', () => {
    const record = encodeResult(DETECTION, framing);
    expect(() => decodeResult('classification', record, framing)).toThrow(
      expect.toSatisfy((error) => codeOf(error) === 'schema-unknown'),
    );
  });
});

describe('a reader that was built before', () => {
  const read = (name: RecordTypeName, index: number, record: Uint8Array) => {
    const { versions, current } = RECORD_TYPES[name];
    const type = versions[index]?.type;
    const resolver = type && resolverOf(type, current.type);
    return type?.decode(Buffer.from(record), 10, resolver).value;
  };

  it('sees another status as unknown, and all else as it is', () => {
    const record = encodeResult(CLASSIFICATION, framing);
    const { status, classifications } = read('classification', 2, record);
    expect(status).toBe('unknown');
    expect(plain(classifications)).toEqual(CLASSIFICATION.classifications);
  });

  it('sees a frame without the heads that it wants', () => {
    const frame = read('frame', 0, encodeFrame(FRAME, framing));
    const { heads: _, ...known } = FRAME;
    expect(plain(frame)).toEqual(plain(known));
  });
});

describe('size limits', () => {
  it('a frame over the limit is neither written nor read', () => {
    const bitstream = new Uint8Array(LIMITS.frameRecordBytesMax);
    expect(() => encodeFrame({ ...FRAME, bitstream }, framing)).toThrow(
      expect.toSatisfy((error) => codeOf(error) === 'record-too-large'),
    );

    const larger = new Uint8Array(LIMITS.frameRecordBytesMax + 1);
    expect(() => decodeFrame(larger, framing)).toThrow(
      expect.toSatisfy((error) => codeOf(error) === 'record-too-large'),
    );
  });

  it('a dead letter cuts the original to its limit and says how long it was', () => {
    const originValue = new Uint8Array(LIMITS.deadLetterOriginalBytesMax + 1000).fill(7);
    const originBytes = originValue.length;
    const record = encodeDeadLetter({ ...DEAD_LETTER, originValue, originBytes }, framing);
    const letter = decodeDeadLetter(record, framing);
    expect(letter.originValue).toHaveLength(LIMITS.deadLetterOriginalBytesMax);
    expect(letter.originBytes).toBe(originBytes);
  });

  it('a record larger than any before it is written whole', () => {
    const bitstream = Uint8Array.from({ length: 200_000 }, (_, index) => index & 255);
    const decoded = decodeFrame(encodeFrame({ ...FRAME, bitstream }, framing), framing);
    expect(Buffer.compare(decoded.bitstream, bitstream)).toBe(0);
  });

  it('a count of items that cannot be there is refused at once', () => {
    const record = Buffer.from(encodeResult({ ...DETECTION, detections: [] }, framing));
    // The last byte is the empty list: in its place, a list of 2^47 items.
    const damaged = Buffer.concat([record.subarray(0, -1), Buffer.from('80808080808040', 'hex')]);
    expect(() => decodeResult('detection', damaged, framing)).toThrow(
      /bytes, in 140737488355328 items of detections/,
    );
  });
});
