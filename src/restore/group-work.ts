/** Setting the offsets of groups: looked at just before, each answer read, and read back. */
import { VarveError } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import { kafkaError, type Cluster, type CommitResult, type OffsetToCommit } from '../kafka/kafka.ts';
import { patiently } from './patience.ts';

export interface GroupChange {
  readonly group: string;
  readonly offsets: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
    readonly metadata: string;
    readonly leaderEpoch?: number;
  }[];
  /** Where the group is to have no offset. */
  readonly without?: readonly { readonly topic: string; readonly partition: number }[];
}

export interface GroupOutcome {
  readonly group: string;
  readonly offsets: GroupChange['offsets'];
  /** Why it was left as it was, in words. */
  readonly problem: string | undefined;
  /** The problem is one that passes: it is to be tried again. */
  readonly mayPass: boolean;
}

/** One group's trouble is its own. */
export async function setGroups(
  cluster: Cluster,
  changes: readonly GroupChange[],
  waiting: { clock: Clock; signal: AbortSignal },
): Promise<GroupOutcome[]> {
  const { signal } = waiting;
  const outcomes: GroupOutcome[] = [];
  const names = changes.map(({ group }) => group);
  const states = new Map((await cluster.groupStates(names, { signal })).map((row) => [row.group, row]));
  for (const change of changes) {
    const members = states.get(change.group)?.members ?? [];
    const who = members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ');
    const outcome =
      members.length > 0
        ? { problem: `it became active: ${who}`, mayPass: false }
        : await setGroup(cluster, change, {
            ...waiting,
            // Who was waited for in vain once is not waited for again for each group.
            isPatient: !outcomes.some(({ mayPass }) => mayPass),
          });
    outcomes.push({ ...change, ...outcome });
  }
  return outcomes;
}

async function setGroup(
  cluster: Cluster,
  change: GroupChange,
  waiting: { clock: Clock; signal: AbortSignal; isPatient: boolean },
): Promise<Pick<GroupOutcome, 'problem' | 'mayPass'>> {
  try {
    // Once more does no harm: the offsets are the same, and a group that has become active refuses them.
    const act = async (): Promise<string | undefined> => setOnce(cluster, change, waiting.signal);
    const problem = await (waiting.isPatient ? patiently(act, waiting) : act());
    return { problem, mayPass: false };
  } catch (error) {
    if (!(error instanceof VarveError) || error.code === 'interrupted') throw error;
    return { problem: error.message, mayPass: error.retryable };
  }
}

async function setOnce(
  cluster: Cluster,
  { group, offsets, without = [] }: GroupChange,
  signal: AbortSignal,
): Promise<string | undefined> {
  const rows = offsets.map((row): OffsetToCommit => ({ leaderEpoch: -1, ...row }));
  const answers = [
    ...(await cluster.commitOffsets(group, rows, { signal })),
    ...(await cluster.deleteOffsets(group, without, { signal })),
  ];
  assertHeardOf(group, answers);
  for (const { topic, partition, errorCode } of answers) {
    if (errorCode === 0) continue;
    const { name, text } = kafkaError(errorCode);
    return `${topic}/${partition}: ${text} (${name})`;
  }
  const now = new Map(
    (await cluster.committedOffsets(group, { signal })).map((row) => [`${row.partition} ${row.topic}`, row]),
  );
  for (const { topic, partition, offset, metadata } of offsets) {
    const found = now.get(`${partition} ${topic}`);
    if (found?.offset !== offset || found.metadata !== metadata)
      return `${topic}/${partition}: expected offset ${offset}, read back ${found?.offset ?? 'nothing'}`;
  }
  for (const { topic, partition } of without) {
    const found = now.get(`${partition} ${topic}`);
    if (found !== undefined) return `${topic}/${partition}: expected no offset, read back ${found.offset}`;
  }
  return undefined;
}

/** A coordinator that lags behind refuses offsets of a topic that it has not heard of yet: that passes. */
export function assertHeardOf(group: string, answers: readonly CommitResult[]): void {
  const row = answers.find(({ errorCode }) => errorCode !== 0 && kafkaError(errorCode).retryable);
  if (row === undefined) return;
  const { name, text } = kafkaError(row.errorCode);
  throw new VarveError(
    'kafka-unreachable',
    `the offset of group ${group} in ${row.topic}/${row.partition} cannot be set now: ${text} (${name})`,
    { retryable: true, hint: 'this passes when the coordinator of the group is back; then run it again' },
  );
}
