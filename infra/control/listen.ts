import { BlockList, isIP, isIPv6 } from 'node:net';
import { HalfsightError } from '#runtime/errors.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import type { App } from './app.ts';
import { HOW_TO_MAKE_ONE } from './tokens.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Throws `settings-invalid` where others than this machine would be served without a token. */
export function checkListen({ host }: ListenAddress, hasTokens: boolean): void {
  if (hasTokens || isLoopback(host)) return;
  const where = `HALFSIGHT_CONTROL_LISTEN=${host}`;
  const message = `${where} can be reached from elsewhere, without a token.`;
  throw new HalfsightError('settings-invalid', message, { advice: HOW_TO_MAKE_ONE });
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return LOOPBACK.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

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
