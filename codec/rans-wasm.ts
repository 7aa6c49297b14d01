import { assert, defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { CodedRun, EntropyCoder, Run } from './coder.ts';
import { CoderInstance } from './rans-instance.ts';
import { RANS_MODULE } from './rans-module.ts';

/**
 * The fast coder. A call writes all that it reads, so none depends on the one before; an instance
 * that traps all the same, which only a mistake of ours can cause, is replaced.
 */
export function createWasmCoder(wasm: Uint8Array<ArrayBuffer> = shippedModule()): EntropyCoder {
  const module = new WebAssembly.Module(wasm);
  let instance = new CoderInstance(module);
  /** The run that traps is found by decoding each of a pair again, alone. */
  const decode = (runs: readonly CodedRun[]): (HalfsightError | undefined)[] => {
    try {
      return instance.decode(runs);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      instance = new CoderInstance(module);
      return runs.length === 1 ? [failed(error)] : runs.flatMap((run) => decode([run]));
    }
  };
  return {
    encode(run) {
      checkRun(run);
      try {
        return instance.encode(run);
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        instance = new CoderInstance(module);
        throw failed(error);
      }
    },
    decode(runs) {
      runs.forEach(checkRun);
      const outcomes: (HalfsightError | undefined)[] = [];
      while (outcomes.length < runs.length) {
        outcomes.push(...decode(nextRuns(runs, outcomes.length)));
      }
      return outcomes;
    },
  };
}

export function shippedModule(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(RANS_MODULE), (character) => character.charCodeAt(0));
}

/** One run, or two that can be decoded side by side. */
function nextRuns(runs: readonly CodedRun[], index: number): CodedRun[] {
  const first = defined(runs[index], 'a run');
  const second = runs[index + 1];
  const isPair =
    second?.symbols.length === first.symbols.length &&
    first.choice.kind === 'planes' &&
    second.choice.kind === 'planes' &&
    first.choice.planeSize === second.choice.planeSize;
  return isPair ? [first, second] : [first];
}

function checkRun({ symbols, tables, choice }: Run): void {
  if (choice.kind === 'indexes') {
    assert(choice.indexes.length === symbols.length, 'each symbol has a table index');
    return;
  }
  const planes = symbols.length / choice.planeSize;
  assert(Number.isInteger(planes), 'the symbols are whole planes');
  assert(choice.first >= 0 && choice.first + planes <= tables.count, 'each plane has a table');
}

function failed(cause: unknown): HalfsightError {
  const message = `the entropy coder failed: ${(cause as Error).message}.`;
  return new HalfsightError('codec-failed', message, { cause });
}
