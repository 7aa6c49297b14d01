import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a process holds at one moment. */
export interface Holding {
  readonly minutes: number;
  readonly memoryMiB: number;
  readonly files: number;
  readonly connections: number;
}

/** From /proc; Linux only. */
export function holdingOf(pid: number, minutes: number): Holding {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const memoryKiB = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  const connections = descriptors.filter((descriptor) => isSocket(pid, descriptor));
  return {
    minutes,
    memoryMiB: memoryKiB / 1024,
    files: descriptors.length,
    connections: connections.length,
  };
}

/** Growth an hour, by least squares over all but the first part, in which a process warms up. */
export function slopeAnHour(
  holdings: readonly Holding[],
  what: 'memoryMiB' | 'files' | 'connections',
): number {
  const points = holdings.slice(Math.floor(holdings.length * WARM_UP_SHARE));
  const count = points.length;
  const meanX = points.reduce((sum, { minutes }) => sum + minutes, 0) / count;
  const meanY = points.reduce((sum, point) => sum + point[what], 0) / count;
  let [products, squares] = [0, 0];
  for (const point of points) {
    products += (point.minutes - meanX) * (point[what] - meanY);
    squares += (point.minutes - meanX) ** 2;
  }
  return squares === 0 ? 0 : (products / squares) * 60;
}

const WARM_UP_SHARE = 0.3;

function isSocket(pid: number, descriptor: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`).startsWith('socket:');
  } catch {
    // Closed since the folder was listed.
    return false;
  }
}
