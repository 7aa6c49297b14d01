import '#runtime/no-telemetry.ts';
import * as ort from 'onnxruntime-node';
import { HalfsightError } from '#runtime/errors.ts';

/**
 * ONNX Runtime, and the only file that imports it: loading it takes a while and `run` blocks the
 * calling thread's event loop for the whole inference (onnxruntime issue 19611), so sessions belong
 * into workers, and modules that need only the manifest must not import this one.
 *
 * Keep sessions for the life of the process: creating and closing them leaks (issue 25325). Close
 * them before the thread ends: ending it while `run` is under way aborts the process.
 */

export type Provider = 'cpu' | 'cuda' | 'tensorrt';

/** The data's class says the element type; int64 is a BigInt64Array. */
export interface Tensor {
  readonly data: Uint8Array | Int32Array | Float32Array | BigInt64Array;
  readonly dims: readonly number[];
}

export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** `feeds` may hold more than the model takes. Rejects with `inference-failed`. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly provider: Provider;
  /** Threads that share one inference. */
  readonly threads: number;
}

/** TensorRT hands what it cannot do to CUDA. ONNX Runtime itself adds the CPU for the rest. */
const PROVIDERS: Readonly<Record<Provider, readonly string[]>> = {
  cpu: ['cpu'],
  cuda: ['cuda'],
  tensorrt: ['tensorrt', 'cuda'],
};

ort.env.logLevel = 'fatal';

/**
 * Throws `execution-provider-missing` if the provider cannot be used here: there is no silent
 * fall-back to the CPU. Throws `bundle-invalid` for a file that is no model.
 */
export async function openSession(path: string, options: SessionOptions): Promise<OnnxSession> {
  const session = await createSession(path, options);
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds) {
      const inputs: Record<string, ort.Tensor> = {};
      for (const name of session.inputNames) {
        const feed = feeds[name];
        if (feed === undefined) throw failed(path, `input "${name}" was not given`);
        inputs[name] = new ort.Tensor(elementType(feed.data), feed.data, feed.dims);
      }
      try {
        return tensorsOf(await session.run(inputs));
      } catch (error) {
        throw failed(path, (error as Error).message, error);
      }
    },
    close: () => session.release(),
  };
}

async function createSession(path: string, options: SessionOptions): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(path, ortOptions(options));
  } catch (error) {
    const reason = (error as Error).message;
    if (options.provider === 'cpu' || !(await opensOnCpu(path))) {
      const message = `${path} cannot be opened as an ONNX model: ${reason}`;
      throw new HalfsightError('bundle-invalid', message, { cause: error });
    }
    throw new HalfsightError(
      'execution-provider-missing',
      `ONNX Runtime cannot use "${options.provider}" here: ${reason}`,
      { advice: 'Install its libraries and driver, or choose the provider "cpu".', cause: error },
    );
  }
}

/** Tells a missing provider from a broken model, whatever the words of the error. */
async function opensOnCpu(path: string): Promise<boolean> {
  try {
    const session = await ort.InferenceSession.create(
      path,
      ortOptions({ provider: 'cpu', threads: 1 }),
    );
    await session.release();
    return true;
  } catch {
    return false;
  }
}

function ortOptions({ provider, threads }: SessionOptions): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: PROVIDERS[provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Errors come as exceptions; 4 (fatal) keeps them from being printed as well.
    logSeverityLevel: 4,
    // A thread pool that spins between two inferences burns more processor time than they take.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}

function tensorsOf(results: ort.InferenceSession.ReturnType): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(results)) {
    const { data, dims } = value as ort.Tensor;
    tensors[name] = { data: data as Tensor['data'], dims };
  }
  return tensors;
}

function elementType(data: Tensor['data']): 'uint8' | 'int32' | 'float32' | 'int64' {
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Float32Array ? 'float32' : 'int64';
}

function failed(path: string, reason: string, cause?: unknown): HalfsightError {
  return new HalfsightError('inference-failed', `${path}: ${reason}.`, { cause });
}
