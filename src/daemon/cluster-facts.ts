import { messageOf, VarveError } from '../errors.ts';
import type { Access, Cluster, Told } from '../kafka/kafka.ts';
import type { SavedAccess } from '../repository/repository.ts';
import type { CycleRequest, SeenTopic } from '../snapshot/snapshot.ts';

/** What a snapshot saves of the cluster besides records. */
export type ClusterFacts = Pick<CycleRequest, 'topics' | 'groups' | 'access' | 'unread'>;

/** Read before the cut, so that no committed offset is far ahead of the data. */
export async function readClusterFacts(
  cluster: Cluster,
  o: { isWanted: (topic: string) => boolean; nowMs: number; signal: AbortSignal },
): Promise<ClusterFacts> {
  const { signal, nowMs } = o;
  const metadata = await cluster.metadata({ signal });
  const there = metadata.topics.filter(
    ({ name, errorCode }) => errorCode === 0 && name !== '' && o.isWanted(name),
  );
  const [configs, saved, access] = await Promise.all([
    cluster.topicConfigs(
      there.map(({ name }) => name),
      { signal },
    ),
    cluster.savedGroups({ without: isOwnGroup, signal }),
    cluster.access({ signal }),
  ]);
  const configsOf = new Map(configs.map((row) => [row.topic, row]));
  const topics = there.map(({ name, topicId, partitions }): SeenTopic => ({
    topic: name,
    topicId,
    settings: {
      readMs: nowMs,
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicas.length ?? 0,
      configs: (configsOf.get(name)?.configs ?? []).map(({ name: key, value }) => [key, value] as const),
    },
  }));
  const unread = [
    ...configs.flatMap(({ failure }) =>
      failure === undefined
        ? []
        : `${failure.message}${failure.hint === undefined ? '' : `; ${failure.hint}`}`,
    ),
    ...saved.flatMap(({ group, failure }) =>
      failure === undefined ? [] : `group ${group}: ${failure.message}`,
    ),
  ];
  const groups = saved
    .filter(({ failure }) => failure === undefined)
    .map(({ group, protocolType, offsets }) => ({ group, protocolType, offsets }));
  return { topics, groups: { readMs: nowMs, groups }, access: savedAccess(access, nowMs), unread };
}

/** Kafka is away, or did not tell all of it: the manifest carries on what the last one said, and the cycle says so. */
export function unreadFacts(error: unknown): ClusterFacts {
  if (!(error instanceof VarveError) || error.code === 'interrupted') throw error;
  return {
    topics: null,
    groups: null,
    access: null,
    unread: [`groups and configurations: ${messageOf(error)}`],
  };
}

/** A right that is not granted, or an authorizer that is not there, is no failure of the cycle: it is noted beside what could be had. */
function savedAccess({ acls, scramUsers, quotas }: Access, readMs: number): SavedAccess {
  const rowsOf = <Row>(told: Told<Row>): { readMs: number; rows: readonly Row[] } | null =>
    'rows' in told ? { readMs, rows: told.rows } : null;
  return {
    acls: rowsOf(acls),
    scramUsers: rowsOf(scramUsers),
    quotas: rowsOf(quotas),
    accessRefusals: [acls, scramUsers, quotas].flatMap((told) => ('refusal' in told ? told.refusal : [])),
  };
}

/** This program's own groups are no part of what it saves. */
function isOwnGroup(group: string): boolean {
  return group.startsWith('varve-');
}
