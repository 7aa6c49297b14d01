/**
 * The part of the WebAssembly JavaScript interface that rans-wasm.ts uses. TypeScript has it in its
 * `dom` library only, which would declare `window` and the like for all of Halfsight.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
  }
  class Instance {
    constructor(module: Module);
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    readonly buffer: ArrayBuffer;
    /** By pages of 64 KiB; detaches `buffer`. */
    grow(pages: number): number;
  }
  class Global {
    readonly value: unknown;
  }
  class RuntimeError extends Error {}
}
