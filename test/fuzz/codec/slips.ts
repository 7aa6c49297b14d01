import type { CodedRun, EntropyCoder } from '#codec/coder.ts';
import { HalfsightError } from '#runtime/errors.ts';

/** Mistakes around a coder, one for each thing that the fuzz looks at besides bytes and symbols. */
export interface Slip {
  readonly name: string;
  plant(coder: EntropyCoder): EntropyCoder;
}

type Outcomes = readonly (HalfsightError | undefined)[];

function before(change: (run: CodedRun) => CodedRun): Slip['plant'] {
  return (coder) => ({ ...coder, decode: (runs) => coder.decode(runs.map(change)) });
}

function after(change: (outcomes: Outcomes, runs: readonly CodedRun[]) => Outcomes): Slip['plant'] {
  return (coder) => ({ ...coder, decode: (runs) => [...change(coder.decode(runs), runs)] });
}

export const SLIPS: readonly Slip[] = [
  {
    name: 'writes a symbol too many',
    plant: after((outcomes, runs) => {
      for (const { symbols } of runs) {
        const whole = new Int32Array(symbols.buffer);
        const next = symbols.byteOffset / 4 + symbols.length;
        if (next < whole.length) whole[next] = 0;
      }
      return outcomes;
    }),
  },
  {
    name: 'takes a payload from the beginning of its buffer',
    plant: before((run) => {
      const { buffer, length } = run.payload;
      return { ...run, payload: new Uint8Array(buffer, 0, length) };
    }),
  },
  {
    name: 'reads up to the end of a word that the payload does not have',
    plant: before((run) => {
      const { buffer, byteOffset, length } = run.payload;
      const wanted = Math.ceil(length / 4) * 4;
      const isThere = byteOffset + wanted <= buffer.byteLength;
      return isThere ? { ...run, payload: new Uint8Array(buffer, byteOffset, wanted) } : run;
    }),
  },
  {
    name: 'changes a payload that it reads',
    plant: before((run) => {
      const payload = Uint8Array.from(run.payload);
      run.payload.fill(0, 0, 1);
      return { ...run, payload };
    }),
  },
  {
    name: 'lets a bad stream spoil the one beside it',
    plant: after((outcomes, runs) => {
      const isAnyBad = outcomes.some((outcome) => outcome !== undefined);
      if (isAnyBad) for (const { symbols } of runs) symbols.fill(0, 0, 1);
      return outcomes;
    }),
  },
  {
    name: 'tells the errors of a pair the wrong way round',
    plant: after((outcomes) => outcomes.toReversed()),
  },
  {
    name: 'has other words for an error',
    plant: after((outcomes) =>
      outcomes.map((outcome) => outcome && new HalfsightError(outcome.code, 'damaged')),
    ),
  },
  {
    name: 'remembers a frame',
    plant: (coder) => {
      let calls = 0;
      return {
        ...coder,
        decode: (runs) => {
          const outcomes = coder.decode(runs);
          calls++;
          if (calls % 3 === 0) for (const { symbols } of runs) symbols.reverse();
          return outcomes;
        },
      };
    },
  },
  {
    name: 'changes the symbols that it codes',
    plant: (coder) => ({
      ...coder,
      encode: (run) => {
        const stream = coder.encode(run);
        run.symbols.fill(0, 0, 1);
        return stream;
      },
    }),
  },
];
