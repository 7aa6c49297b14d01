import { mkdir } from 'node:fs/promises';
import type { Clock } from '#runtime/clock.ts';
import type { ProcessSpec } from './managed-process.ts';
import { ask } from './probe.ts';

const ANSWER_TIMEOUT_MS = 1000;

export async function prepareRedis(
  port: number,
  directory: string,
  clock: Clock,
): Promise<ProcessSpec> {
  await mkdir(directory, { recursive: true });
  return {
    name: 'redis',
    command: 'redis-server',
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
      // Every write is in the append-only file at once, in the kernel's hands: kill -9 loses none.
      ...['--appendonly', 'yes', '--save', ''],
      // Job queues must never be evicted; BullMQ insists.
      ...['--maxmemory-policy', 'noeviction'],
      // Otherwise Redis overwrites the command line by which an orphan is recognised.
      ...['--set-proc-title', 'no'],
    ],
    directory,
    // While it loads its file it answers -LOADING.
    answers: async () => {
      const question = Buffer.from('PING\r\n');
      const answer = await ask(port, question, isWholeLine, ANSWER_TIMEOUT_MS, clock);
      return answer?.toString() === '+PONG\r\n';
    },
  };
}

function isWholeLine(answer: Buffer): boolean {
  return answer.toString().endsWith('\r\n');
}
