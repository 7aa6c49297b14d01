import type { Registry } from '#producers/fleet/registry.ts';
import { checkCamera } from '#producers/fleet/wanted-camera.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import type { Host } from '../host.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { RegistryServer } from './registry-server.ts';

/** The network between one process and the registry. */
export class RegistryLink {
  /** `slow`: what is sent arrives, but often later than anyone waits for it. */
  state: 'up' | 'cut' | 'slow' = 'up';
  readonly #server: RegistryServer;
  readonly #time: VirtualClock;
  readonly #random: Random;

  constructor(server: RegistryServer, time: VirtualClock, random: Random) {
    this.#server = server;
    this.#time = time;
    this.#random = random;
  }

  open(host: Host): Registry {
    const server = this.#server;
    const call = <T>(action: () => T) => this.#call(host, action);
    return {
      put: async (camera, version) => {
        checkCamera(camera);
        return call(() => server.put(camera, version));
      },
      remove: (cameraId, version) => call(() => server.remove(cameraId, version)),
      get: (cameraId) => call(() => server.get(cameraId)),
      list: () => call(() => server.list()),
      join: (profile, epochMs) => call(() => server.join(profile, epochMs)),
      beat: (beat) => call(() => server.beat(beat)),
      leave: (session, epochMs) => call(() => server.leave(session, epochMs)),
      close: async () => undefined,
    };
  }

  #call<T>(host: Host, action: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const unavailable = new HalfsightError('registry-unavailable', 'no answer.');
      host.clock.after(LIMITS.fleetRequestTimeoutMs, () => reject(unavailable));
      this.#travel(() => {
        const { state } = this.#server;
        if (state === 'silent') return;
        let settle: () => void;
        if (state === 'up') {
          try {
            const answer = action();
            settle = () => resolve(answer);
          } catch (error) {
            settle = () => reject(error);
          }
        } else {
          settle = () => reject(new HalfsightError('registry-down', `Redis is ${state}.`));
        }
        this.#travel(() => host.receive(settle));
      });
    });
  }

  /** There or back. Lost when the line is cut at the start or at the end of the way. */
  #travel(arrive: () => void): void {
    if (this.state === 'cut') return;
    const slowestMs = this.state === 'slow' ? 4_000 : 30;
    this.#time.after(1 + this.#random.next() * slowestMs, () => {
      if (this.state !== 'cut') arrive();
    });
  }
}
