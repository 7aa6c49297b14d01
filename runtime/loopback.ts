import { BlockList, isIP, isIPv6 } from 'node:net';
import { howToMakeToken } from './access-tokens.ts';
import { HalfsightError } from './errors.ts';
import type { ListenAddress } from './variable-reader.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** A name or an address. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return LOOPBACK.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

/**
 * Throws `settings-invalid` where others than this machine would be served without a token.
 * `variables`: the names of those that say where to listen, and what the tokens are.
 */
export function checkListen(
  { host }: ListenAddress,
  hasTokens: boolean,
  variables: { readonly listen: string; readonly token: string },
): void {
  if (hasTokens || isLoopback(host)) return;
  const message = `${variables.listen}=${host} can be reached from elsewhere, without a token.`;
  throw new HalfsightError('settings-invalid', message, {
    advice: howToMakeToken(variables.token),
  });
}
