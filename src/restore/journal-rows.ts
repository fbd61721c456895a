/** From a plan to the rows of its journal, and back as far as a journal tells it. */
import type { Journal, JournalTopic } from './journal.ts';
import type { RestorePlan, SourceTopic, TopicPlan } from './plan.ts';

export function journalGroups({ groups }: RestorePlan): Journal['groups'] {
  return groups.map(({ group, to, offsets }) => ({
    group,
    to,
    offsets: offsets.map((row) => ({ ...row, sourceOffset: row.sourceOffset ?? null })),
  }));
}

export function journalTopic(plan: TopicPlan): JournalTopic {
  const isNew = plan.action === 'create' || plan.action === 'recreate';
  return {
    source: plan.source.topic,
    sourceId: plan.source.topicId,
    target: plan.target,
    action: plan.action,
    oldId: plan.action === 'recreate' ? (plan.existing?.topicId ?? null) : null,
    topicId: isNew ? null : (plan.existing?.topicId ?? null),
    partitionCount: plan.partitionCount,
    replicationFactor: plan.replicationFactor,
    temporary: plan.temporary.map(([name, value]) => [name, value]),
    final: plan.final.map(([name, value]) => [name, value]),
    effective: plan.effective.map(([name, value]) => [name, value]),
    state: 'planned',
    ...journalPartitions(plan),
  };
}

/** Those with records of the backup, and those that are emptied, whether any come or not. */
function journalPartitions({
  partitions,
  partitionCount,
  isRepartitioned,
  emptied,
}: TopicPlan): Pick<JournalTopic, 'partitions' | 'sources'> {
  const sources = partitions.map(({ partition, ranges }) => ({
    partition,
    ranges: ranges.map(({ from, to }) => ({ from, to })),
  }));
  const all = Array.from({ length: isRepartitioned ? partitionCount : 0 }, (_, partition) => partition);
  const own = isRepartitioned ? all : sources.map(({ partition }) => partition);
  const targets = [...new Set([...own, ...emptied.keys()])]
    .toSorted((a, b) => a - b)
    .map((partition) => ({
      partition,
      start: emptied.get(partition) ?? null,
      ranges: isRepartitioned ? [] : (sources.find((row) => row.partition === partition)?.ranges ?? []),
      end: null,
    }));
  return { partitions: targets, ...(isRepartitioned && { sources }) };
}

/** Where the partitions end that a restore empties. */
export function emptiedOf({ action, partitions }: JournalTopic): ReadonlyMap<number, bigint> {
  if (action !== 'empty') return new Map();
  return new Map(
    partitions.flatMap(({ partition, start }) => (start === null ? [] : [[partition, start] as const])),
  );
}

export function planAgain(topic: JournalTopic, { life, others, partitions }: SourceTopic): TopicPlan {
  const head = ({ topic: name, topicId, cluster, firstSeen }: typeof life): TopicPlan['source'] => ({
    topic: name,
    topicId,
    cluster,
    firstSeen,
  });
  const records = (topic.sources ?? topic.partitions)
    .flatMap(({ ranges }) => ranges)
    .reduce((sum, { from, to }) => sum + Number(to - from), 0);
  const { action, target, partitionCount, replicationFactor, temporary, final, effective } = topic;
  return {
    source: head(life),
    others: others.map(head),
    target,
    action,
    existing: topic.topicId === null ? undefined : { topicId: topic.topicId, partitions: [], configs: [] },
    emptied: emptiedOf(topic),
    unsaved: 0n,
    partitionCount,
    isRepartitioned: topic.sources !== undefined,
    replicationFactor,
    temporary,
    final,
    effective,
    leftOff: [],
    partitions: partitions.map(({ partition, plan }) => ({
      partition,
      ranges: plan.stretches.map(({ from, to }) => ({ from, to })),
      missing: [],
      expired: plan.expired,
      gaps: plan.gaps,
      recordsMax: plan.stretches.reduce((sum, { from, to }) => sum + Number(to - from), 0),
    })),
    records: { count: records, isExact: false },
    firstMs: undefined,
    lastMs: undefined,
    notRestored: { before: 0, behind: 0, notLookedAt: 0 },
    warnings: [],
  };
}
