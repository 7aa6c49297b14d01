import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Guard } from './guard.ts';
import { runProgram } from './program.ts';

/** One certificate with its private key, both PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Key, certificate and authority in one file, as Kafka's PEM key stores want them. */
  readonly storeFile: string;
}

/** A certificate authority of a test's own. */
export interface Authority {
  readonly caFile: string;
  /** Good for servers at 127.0.0.1 and localhost, and for a client whose name is `name`. */
  certify(name: string): Promise<Certificate>;
}

/** A key that is made at once, unlike RSA's; not encrypted; in PKCS #8, which Java reads. */
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const VALID = ['-days', '2'];
const EXTENSIONS =
  'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n';

/** Makes an authority in `directory`, with openssl, which comes with Java's packages on Debian. */
export async function createAuthority(
  directory: string,
  dependencies: { readonly clock: Clock; readonly guard: Guard },
): Promise<Authority> {
  await mkdir(directory, { recursive: true });
  const file = (name: string) => join(directory, name);
  const openssl = (...args: readonly string[]) =>
    runProgram('openssl', args, {
      directory,
      timeoutMs: LIMITS.stackStartTimeoutMs,
      advice: 'The certificates of the local stack could not be made.',
      ...dependencies,
    });
  const caFile = file('ca.pem');
  const caKey = file('ca.key');
  await writeFile(file('extensions'), EXTENSIONS);
  await openssl(
    ...['req', '-x509', ...NEW_KEY, ...VALID, '-keyout', caKey, '-out', caFile],
    ...['-subj', '/CN=Halfsight local stack', '-addext', 'keyUsage=critical,keyCertSign'],
  );
  return {
    caFile,
    async certify(name) {
      const certFile = file(`${name}.pem`);
      const keyFile = file(`${name}.key`);
      const request = file(`${name}.csr`);
      await openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`);
      await openssl(
        ...['x509', '-req', '-in', request, '-out', certFile, ...VALID],
        ...['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-extfile', file('extensions')],
      );
      const parts = await Promise.all([keyFile, certFile, caFile].map((one) => readFile(one)));
      const storeFile = file(`${name}.store.pem`);
      await writeFile(storeFile, Buffer.concat(parts), { mode: 0o600 });
      return { certFile, keyFile, storeFile };
    },
  };
}
