import { type Certificate, createAuthority } from './certificates.ts';
import { addressesOf } from './cluster-ports.ts';
import type { BrokerNode, KafkaProperties } from './kafka-properties.ts';

/** What `LocalStackOptions.secure` asks for. There are no default users and passwords. */
export interface SecureOptions {
  /** Users of SCRAM-SHA-512 with their passwords. Made when the storage of a broker is new. */
  readonly users: Readonly<Record<string, string>>;
  /** The one user, of `users` or of `certificates`, who needs no ACL. */
  readonly superUser: string;
  /** Users who prove themselves with a client certificate, by name. */
  readonly certificates?: readonly string[];
}

/** How to reach the secure listeners. */
export interface SecureAccess {
  /** `127.0.0.1:port` of each broker: TLS and SCRAM-SHA-512. */
  readonly brokers: readonly string[];
  /** `127.0.0.1:port` of each broker: mutual TLS. */
  readonly mutualTlsBrokers: readonly string[];
  readonly caFile: string;
  /** The brokers' own, good for any other server on this machine (Redis, say). */
  readonly server: Certificate;
  /** By user. */
  readonly certificates: Readonly<Record<string, Certificate>>;
}

/** What the brokers have to be told. */
export interface SecureListeners {
  readonly properties: KafkaProperties;
  /** Arguments of Kafka's storage tool that make the users. */
  readonly storageArguments: readonly string[];
  access(cluster: readonly BrokerNode[]): SecureAccess;
}

const SCRAM = 'SCRAM';
const MUTUAL_TLS = 'MUTUAL';

export const SECURE_LISTENERS = [
  { name: SCRAM, protocol: 'SASL_SSL' },
  { name: MUTUAL_TLS, protocol: 'SSL' },
] as const;

export async function secureListeners(
  { users, superUser, certificates: names = [] }: SecureOptions,
  directory: string,
  dependencies: Parameters<typeof createAuthority>[1],
): Promise<SecureListeners> {
  const { caFile, certify } = await createAuthority(directory, dependencies);
  const server = await certify('localhost');
  const certificates: Record<string, Certificate> = {};
  // One after another: they share the authority's serial number.
  for (const name of names) certificates[name] = await certify(name);
  return {
    properties: secureProperties({ superUser, caFile, storeFile: server.storeFile }),
    storageArguments: Object.entries(users).flatMap(([name, password]) => [
      '-S',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ]),
    access: (cluster) => ({
      ...{ caFile, server, certificates },
      brokers: addressesOf(cluster, SCRAM),
      mutualTlsBrokers: addressesOf(cluster, MUTUAL_TLS),
    }),
  };
}

/**
 * The brokers' settings for the two secure listeners, and for ACLs. The plain listener stays what
 * it was, for the brokers among themselves and for tests that prepare something: whoever comes
 * there is the user ANONYMOUS, who may do everything. A real cluster has no such listener.
 */
function secureProperties(given: {
  readonly superUser: string;
  readonly caFile: string;
  readonly storeFile: string;
}): KafkaProperties {
  const scram = `listener.name.${SCRAM.toLowerCase()}`;
  const mutualTls = `listener.name.${MUTUAL_TLS.toLowerCase()}`;
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': given.storeFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': given.caFile,
    [`${scram}.sasl.enabled.mechanisms`]: 'SCRAM-SHA-512',
    [`${scram}.scram-sha-512.sasl.jaas.config`]: `${login} required;`,
    [`${mutualTls}.ssl.client.auth`]: 'required',
    // The user is the common name alone: User:camera, not User:CN=camera.
    'ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': false,
    'super.users': `User:${given.superUser};User:ANONYMOUS`,
  };
}
