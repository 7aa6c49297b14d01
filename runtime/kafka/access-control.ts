import type { AccessControl, AccessRule } from '../access-control.ts';
import type { BrokerSettings } from '../broker.ts';
import { type ClientDependencies, clientFactory } from './client.ts';
import { toHalfsightError } from './kafka-error.ts';
import { type KafkaJs, kafkajs } from './kafkajs.ts';

/** Kafka's ACLs behind the access port. Connects at once. */
export async function openAccessControl(
  settings: BrokerSettings,
  dependencies: ClientDependencies,
): Promise<AccessControl> {
  const admin = clientFactory(settings, dependencies)((kafka) => kafka.admin());
  const run = async <T>(doing: string, action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      throw toHalfsightError(error, doing);
    }
  };
  await run('connecting', () => admin.connect());
  return {
    list: () =>
      run('listing the ACLs', async () => {
        const { resources } = await admin.describeAcls({
          resourceType: kafkajs.AclResourceTypes.ANY,
          resourcePatternType: kafkajs.ResourcePatternTypes.ANY,
          operation: kafkajs.AclOperationTypes.ANY,
          permissionType: kafkajs.AclPermissionTypes.ANY,
        });
        return resources.flatMap((resource) => resource.acls.map((acl) => toRule(resource, acl)));
      }),
    add: (rules) =>
      run('creating ACLs', async () => {
        if (rules.length > 0) await admin.createAcls({ acl: rules.map(toEntry) });
      }),
    remove: (rules) =>
      run('deleting ACLs', async () => {
        if (rules.length > 0) await admin.deleteAcls({ filters: rules.map(toEntry) });
      }),
    close: () => admin.disconnect(),
  };
}

function toRule(resource: KafkaJs.AclResource, acl: KafkaJs.Acl): AccessRule {
  return {
    principal: acl.principal,
    host: acl.host,
    permission: nameOf(kafkajs.AclPermissionTypes, acl.permissionType),
    operation: nameOf(kafkajs.AclOperationTypes, acl.operation),
    resource: nameOf(kafkajs.AclResourceTypes, resource.resourceType),
    pattern: nameOf(kafkajs.ResourcePatternTypes, resource.resourcePatternType),
    name: resource.resourceName,
  };
}

function toEntry(rule: AccessRule): KafkaJs.AclEntry {
  return {
    principal: rule.principal,
    host: rule.host,
    permissionType: kafkajs.AclPermissionTypes[rule.permission],
    operation: kafkajs.AclOperationTypes[rule.operation],
    resourceType: kafkajs.AclResourceTypes[rule.resource],
    resourcePatternType: kafkajs.ResourcePatternTypes[rule.pattern],
    resourceName: rule.name,
  };
}

/** What is asked with (`ANY`, `MATCH`) is never answered. */
type Answer<Name> = Exclude<Name, 'ANY' | 'MATCH'>;

/** The name of a code; brokers may be newer than kafkajs and know more of them. */
function nameOf<Name extends string>(
  codes: Readonly<Record<Name, number>>,
  code: number,
): Answer<Name> | 'UNKNOWN' {
  const name = Object.keys(codes).find((one) => codes[one as Name] === code);
  return (name as Answer<Name> | undefined) ?? 'UNKNOWN';
}
