import { CommandLine, FLAG, TEXTS } from '#runtime/command-line.ts';
import { ROLES, type Role } from './roles.ts';

export const USAGE = `\
npm run acls -- --ROLE USER ... [--group PREFIX ...] [--to TOPIC ...] [--revoke] [--dry-run]

Makes the ACLs that let a user do what its role does on the topics of KAFKA_TOPIC_PREFIX, and
nothing else, and says which were there and which others concern the same users and topics
(foreign: they are left as they are). Running it again is harmless. Roles; each may be given
several times:

  --camera USER       writes the frame and status topics
  --inference USER    reads frames in the group KAFKA_GROUP_ID; writes results and dead letters
  --jobs USER         reads frames in the groups of backfills, writes their results and dead
                      letters, sees how far live consumers are; reads results, statuses and dead
                      letters for exports and reports; redrives if it is an operator too
  --subscriber USER   reads the result topics, those of backfills too, without a position or in
                      groups of --group
  --webhooks USER     reads the result topics, in the groups of hooks
  --bridge USER       reads the result topics, in the groups of bridges; writes those of --to
  --wall USER         reads all of these topics, and sees how far consumers are (npm run wall)
  --operator USER     reads, creates and configures all topics (npm run topics, npm run balance);
                      redrives dead letters

  --group PREFIX      what the groups of the subscribers may be called: PREFIX...
  --to TOPIC          a topic of others that the bridges write
  --revoke            deletes these ACLs instead
  --dry-run           changes nothing, and says what it would do

It runs with KAFKA_BROKERS, KAFKA_TLS_* and KAFKA_SASL_* of somebody who may alter ACLs: a super
user of the brokers, or ALTER on the cluster. The brokers need an authorizer (authorizer.class.name)
and must refuse what no ACL allows (allow.everyone.if.no.acl.found=false, the default).

Users and passwords are made with Kafka's own tool, since this project's client cannot:

  kafka-configs.sh --bootstrap-server HOST:PORT --command-config ADMIN.properties --alter \\
    --entity-type users --entity-name USER --add-config 'SCRAM-SHA-512=[password=PASSWORD]'

With mutual TLS the user is the certificate's subject (CN=camera,O=site) unless the brokers map it
(ssl.principal.mapping.rules).
`;

const line = new CommandLine('See npm run acls -- --help.');

export interface AclArguments {
  readonly users: readonly { readonly role: Role; readonly user: string }[];
  readonly subscriberGroups: readonly string[];
  readonly bridgedTopics: readonly string[];
  readonly change: 'grant' | 'revoke';
  readonly dryRun: boolean;
  readonly help: boolean;
}

/** Throws `usage-invalid`. */
export function readArguments(args: readonly string[]): AclArguments {
  const values = line.readOptions(args, {
    ...{ camera: TEXTS, inference: TEXTS, jobs: TEXTS, subscriber: TEXTS },
    ...{ webhooks: TEXTS, bridge: TEXTS, wall: TEXTS, operator: TEXTS },
    ...{ group: TEXTS, to: TEXTS },
    ...{ revoke: FLAG, 'dry-run': FLAG, help: FLAG },
  });
  const users = ROLES.flatMap((role) => (values[role] ?? []).map((user) => ({ role, user })));
  const { group = [], to = [], help = false } = values;
  if (!help && users.length === 0) throw line.wrong('no user is named.');
  if (users.some(({ user }) => user.trim() === '')) throw line.wrong('a user has no name.');
  // An empty prefix would be every group, those of the inference consumers among them.
  if (group.some((prefix) => prefix.trim() === '')) throw line.wrong('--group is empty.');
  if (group.length > 0 && values.subscriber === undefined) {
    throw line.wrong('--group is for --subscriber only.');
  }
  if (to.some((topic) => topic.trim() === '')) throw line.wrong('--to is empty.');
  if (to.length > 0 && values.bridge === undefined) throw line.wrong('--to is for --bridge only.');
  return {
    users,
    subscriberGroups: group,
    bridgedTopics: to,
    change: values.revoke ? 'revoke' : 'grant',
    dryRun: values['dry-run'] ?? false,
    help,
  };
}
