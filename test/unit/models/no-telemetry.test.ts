import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * ONNX Runtime's telemetry client opens /tmp/mat-debug-PID.log when it starts, which is how it is
 * noticed here; no packet needs to be sent for that.
 */
const ROOT = join(import.meta.dirname, '..', '..', '..');
const BODY = join(ROOT, 'test', 'golden', 'tiny-bundle', 'body.onnx');
const BUNDLE = join(ROOT, 'test', 'golden', 'tiny-bundle');

/** A process with the same number may have left one. */
const REMOVE_LEFT = `import { rmSync } from 'node:fs';
  rmSync('/tmp/mat-debug-' + process.pid + '.log', { force: true });`;

function startsTelemetry(program: string): boolean {
  // Nothing else of ours: it keeps quiet by itself where it sees that it runs under CI.
  const { PATH, HOME } = process.env;
  const before = ['--import', `data:text/javascript,${encodeURIComponent(REMOVE_LEFT)}`];
  const child = spawnSync(process.execPath, [...before, '-e', program], {
    cwd: ROOT,
    env: { PATH, HOME },
    encoding: 'utf8',
  });
  expect(child.status, child.stderr).toBe(0);
  const trace = `/tmp/mat-debug-${child.pid}.log`;
  const found = existsSync(trace);
  rmSync(trace, { force: true });
  return found;
}

describe.runIf(process.platform === 'linux')("ONNX Runtime's telemetry", () => {
  it('starts where nobody says no: otherwise this test could not fail', () => {
    const program = `
      import * as ort from 'onnxruntime-node';
      const session = await ort.InferenceSession.create(${JSON.stringify(BODY)});
      await session.release();`;
    expect(startsTelemetry(program)).toBe(true);
  });

  it('does not start with a session of models/session.ts', () => {
    const program = `
      import { openSession } from '#models/session.ts';
      const session = await openSession(${JSON.stringify(BODY)}, { provider: 'cpu', threads: 1 });
      await session.close();`;
    expect(startsTelemetry(program)).toBe(false);
  });

  it('does not start with the encoder threads of a camera agent', () => {
    const program = `
      import { encodeThreads } from '#producers/camera/encode-thread.ts';
      const open = encodeThreads({ bundleDirectory: ${JSON.stringify(BUNDLE)}, threads: 1 });
      const worker = await open(() => process.exit(1));
      await worker.close();`;
    expect(startsTelemetry(program)).toBe(false);
  });
});
