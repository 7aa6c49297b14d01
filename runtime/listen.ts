import { HalfsightError } from './errors.ts';
import type { ListenAddress } from './variable-reader.ts';

/** `open` listens there. Throws `settings-invalid` that names the variable where it cannot. */
export async function listenAt<T>(
  { host, port }: ListenAddress,
  variable: string,
  open: (address: { readonly host: string; readonly port: number }) => Promise<T>,
): Promise<T> {
  try {
    return await open({ host, port });
  } catch (cause) {
    const message = `cannot listen on ${host}:${port} (${(cause as Error).message}).`;
    throw new HalfsightError('settings-invalid', message, {
      advice: `Set ${variable} to another host:port.`,
      cause,
    });
  }
}
