/** Setting the offsets of groups: looked at just before, each answer read, and read back. */
import { VarveError } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import { kafkaError, type Cluster, type OffsetToCommit } from '../kafka/kafka.ts';
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
    const problem =
      members.length > 0 ? `it became active: ${who}` : await setGroup(cluster, change, waiting);
    outcomes.push({ ...change, problem });
  }
  return outcomes;
}

async function setGroup(
  cluster: Cluster,
  { group, offsets, without = [] }: GroupChange,
  waiting: { clock: Clock; signal: AbortSignal },
): Promise<string | undefined> {
  const rows = offsets.map((row): OffsetToCommit => ({ leaderEpoch: -1, ...row }));
  try {
    const { signal } = waiting;
    const answers = await patiently(async () => cluster.commitOffsets(group, rows, { signal }), waiting);
    const deleted = await patiently(async () => cluster.deleteOffsets(group, without, { signal }), waiting);
    for (const { topic, partition, errorCode } of [...answers, ...deleted]) {
      if (errorCode === 0) continue;
      const { name, text } = kafkaError(errorCode);
      return `${topic}/${partition}: ${text} (${name})`;
    }
    const now = new Map(
      (await cluster.committedOffsets(group, { signal })).map((row) => [
        `${row.partition} ${row.topic}`,
        row,
      ]),
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
  } catch (error) {
    if (!(error instanceof VarveError) || error.code === 'interrupted') throw error;
    return error.message;
  }
}
