/** Who may do what in the cluster, and how much of it: access lists, the names of SCRAM users, quotas. */
import { kafkaError } from './errors-of-kafka.ts';
import { describeAclsMessage, type DescribedAcl } from './messages/describe-acls.ts';
import { describeQuotasMessage, type DescribedQuota } from './messages/describe-quotas.ts';
import { describeScramUsersMessage } from './messages/describe-scram-users.ts';
import type { Message } from './messages/message.ts';
import type { Wire } from './wire.ts';

/** In the words of Kafka's own tools; a number where a newer broker has a word more. */
export interface Acl {
  readonly resourceType: string;
  readonly resource: string;
  readonly patternType: string;
  readonly principal: string;
  readonly host: string;
  readonly operation: string;
  readonly permission: string;
}

/** One mechanism of one user. Kafka tells no hash to anybody. */
export interface ScramUser {
  readonly user: string;
  readonly mechanism: string;
  readonly iterations: number;
}

export type Quota = DescribedQuota;

/** What was read, or why it was not. */
export type Told<Row> = { readonly rows: readonly Row[] } | { readonly refusal: string };

export interface Access {
  readonly acls: Told<Acl>;
  readonly scramUsers: Told<ScramUser>;
  readonly quotas: Told<Quota>;
}

interface Question<Answer extends { readonly errorCode: number }> {
  readonly message: Message<undefined, Answer>;
  readonly what: string;
  /** What a user needs to be told. */
  readonly right: string;
}

type Asking = <T>(run: (wire: Wire) => Promise<T>) => Promise<T>;

/** What the cluster refuses to tell is in its part; throws only where no broker can be asked at all. */
export async function readAccess(
  anyBroker: Asking,
  { signal }: { signal: AbortSignal | undefined },
): Promise<Access> {
  async function ask<Answer extends { readonly errorCode: number }, Row>(
    { message, what, right }: Question<Answer>,
    rowsOf: (answer: Answer) => readonly Row[],
  ): Promise<Told<Row>> {
    const answer = await anyBroker(async (wire) =>
      wire.speaks(message) ? wire.call(message, undefined, { signal }) : undefined,
    );
    if (answer === undefined) return { refusal: `${what}: these brokers do not tell them` };
    if (answer.errorCode === 0) return { rows: rowsOf(answer) };
    const { name, kind, text } = kafkaError(answer.errorCode);
    const hint = kind === 'authorization' ? `; grant this user ${right} on the cluster` : '';
    return { refusal: `${what}: ${text} (${name})${hint}` };
  }
  const [acls, scramUsers, quotas] = await Promise.all([
    ask({ message: describeAclsMessage, what: 'access lists', right: 'DESCRIBE' }, (answer) =>
      answer.acls.map(aclOf),
    ),
    ask({ message: describeScramUsersMessage, what: 'SCRAM users', right: 'DESCRIBE' }, ({ users }) =>
      users
        .filter(({ errorCode }) => errorCode === 0)
        .map(({ user, mechanism, iterations }) => ({
          user,
          mechanism: mechanisms[mechanism] ?? String(mechanism),
          iterations,
        })),
    ),
    ask(
      { message: describeQuotasMessage, what: 'quotas', right: 'DESCRIBE_CONFIGS' },
      (answer) => answer.quotas,
    ),
  ]);
  return { acls, scramUsers, quotas };
}

const resourceTypes: Words = {
  2: 'topic',
  3: 'group',
  4: 'cluster',
  5: 'transactional-id',
  6: 'delegation-token',
  7: 'user',
};
const patternTypes: Words = { 3: 'literal', 4: 'prefixed' };
const operations: Words = {
  2: 'All',
  3: 'Read',
  4: 'Write',
  5: 'Create',
  6: 'Delete',
  7: 'Alter',
  8: 'Describe',
  9: 'ClusterAction',
  10: 'DescribeConfigs',
  11: 'AlterConfigs',
  12: 'IdempotentWrite',
  13: 'CreateTokens',
  14: 'DescribeTokens',
  15: 'TwoPhaseCommit',
};
const permissions: Words = { 2: 'deny', 3: 'allow' };
const mechanisms: Words = { 1: 'SCRAM-SHA-256', 2: 'SCRAM-SHA-512' };

type Words = Readonly<Record<number, string>>;

function aclOf({
  resourceType,
  resource,
  patternType,
  principal,
  host,
  operation,
  permission,
}: DescribedAcl): Acl {
  return {
    resourceType: resourceTypes[resourceType] ?? String(resourceType),
    resource,
    patternType: patternTypes[patternType] ?? String(patternType),
    principal,
    host,
    operation: operations[operation] ?? String(operation),
    permission: permissions[permission] ?? String(permission),
  };
}
