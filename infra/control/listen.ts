import { HalfsightError } from '#runtime/errors.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import type { App } from './app.ts';

/** Resolves to the address for clients. */
export async function listen(app: App, { host, port }: ListenAddress): Promise<string> {
  try {
    return await app.listen({ host, port, listenTextResolver: (address) => address });
  } catch (cause) {
    const message = `cannot listen on ${host}:${port} (${(cause as Error).message}).`;
    throw new HalfsightError('settings-invalid', message, {
      advice: 'Set HALFSIGHT_CONTROL_LISTEN to another host:port.',
      cause,
    });
  }
}
