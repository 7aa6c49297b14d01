import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import type { EngineChannel, FromEngine } from './engine-protocol.ts';

const PROGRAM = fileURLToPath(new URL('./engine-process.ts', import.meta.url));

/**
 * Starts the engine process. A process and not a worker thread: ONNX Runtime blocks the thread that
 * calls it, a worker in the middle of a run cannot be ended without aborting the whole process, and
 * a crash in native code must not take the Kafka client with it.
 */
export function forkEngine(): EngineChannel {
  const child = fork(PROGRAM, {
    // "advanced" keeps typed arrays as they are.
    serialization: 'advanced',
    execArgv: [...HEAP_OPTIONS],
  });
  return {
    send(message) {
      // A failed write means that the process is going; its exit tells the rest.
      if (child.connected) child.send(message, () => undefined);
    },
    kill: () => void child.kill('SIGKILL'),
    onMessage: (handler) => void child.on('message', (message) => handler(message as FromEngine)),
    onExit(handler) {
      let isOver = false;
      const end = (how: string) => {
        if (isOver) return;
        isOver = true;
        handler(how);
      };
      child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      child.on('error', (error) => {
        if (child.pid === undefined) end(`could not be started: ${error.message}`);
      });
    },
  };
}
