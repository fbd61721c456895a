import type { Cluster } from '../kafka/kafka.ts';
import { ownPrefix } from './group-plan.ts';
import type { Journal } from './journal.ts';
import type { RestorePlan } from './plan.ts';

/**
 * Where groups stand before a restore changes anything: those that it sets, and those whose offsets go with a topic that is
 * deleted. So they can be put back.
 */
export async function groupsBefore(
  { topics, groups }: RestorePlan,
  { cluster, signal }: { cluster: Cluster; signal: AbortSignal },
): Promise<NonNullable<Journal['before']>> {
  const deleted = new Set(topics.flatMap(({ action, target }) => (action === 'recreate' ? [target] : [])));
  const planned = new Map(groups.map(({ group, offsets }) => [group, offsets]));
  if (planned.size === 0 && deleted.size === 0) return [];
  const saved = await cluster.savedGroups({
    without: (group) => group.startsWith(ownPrefix) || (deleted.size === 0 && !planned.has(group)),
    signal,
  });
  const unread = saved.find(({ group, failure }) => failure !== undefined && planned.has(group));
  if (unread?.failure !== undefined) throw unread.failure;
  const found = new Map(saved.map(({ group, offsets }) => [group, offsets]));
  return [...new Set([...planned.keys(), ...found.keys()])].flatMap((group) => {
    const now = found.get(group) ?? [];
    const gone = now.filter(({ topic }) => deleted.has(topic));
    const set = (planned.get(group) ?? []).map(({ target: topic, partition }) => {
      const row = now.find((one) => one.topic === topic && one.partition === partition);
      return row ?? { topic, partition, offset: null, leaderEpoch: -1, metadata: '' };
    });
    const offsets = [...new Set([...gone, ...set])];
    return offsets.length === 0 ? [] : [{ group, offsets }];
  });
}
