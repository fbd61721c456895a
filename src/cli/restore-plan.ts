import { countText, plural } from '../observe/observe.ts';
import type { Journal, RestorePlan, TopicPlan } from '../restore/restore.ts';
import { timeText } from '../schedule/schedule.ts';

/** What will be done, for people: the first line says into which cluster. */
export function planLines(plan: RestorePlan, goesOn: Journal | undefined): string[] {
  const whose = plan.isOwn ? 'the cluster of this backup' : 'ANOTHER cluster';
  // Files of other programs do not tell where they come from.
  const isTold = plan.isOwn || plan.topics.some(({ source }) => source.cluster !== undefined);
  const lines = [`into cluster ${plan.cluster} (${plan.addresses})${isTold ? `: ${whose}` : ''}`];
  if (goesOn !== undefined)
    lines.push(`goes on with restore ${goesOn.id}, begun ${new Date(goesOn.startedMs).toISOString()}`);
  for (const topic of plan.topics) lines.push(...topicLines(topic));
  for (const { group, to, offsets } of plan.groups) {
    const where = to === 'saved' ? 'to the records it was at' : `to ${to}`;
    const topics = [...new Set(offsets.map(({ target }) => target))].join(', ');
    lines.push(`group ${group}: ${plural(offsets.length, 'offset')} on ${topics}, ${where}`);
  }
  if (plan.groups.length === 0) lines.push('no group is set');
  for (const warning of plan.warnings) lines.push(`note: ${warning}`);
  for (const reason of plan.incomplete) lines.push(`INCOMPLETE: ${reason}`);
  return lines;
}

const verbs: Record<TopicPlan['action'], string> = {
  create: 'is made',
  recreate: 'is DELETED and made anew',
  empty: 'stays, and its records are DELETED: what is restored goes behind them',
  append: 'exists: records go behind what it holds',
  fill: 'exists and is empty: it is filled',
};

function topicLines(topic: TopicPlan): string[] {
  const { source, target, action, records, partitions, partitionCount, replicationFactor } = topic;
  const from = source.topic === target ? '' : ` from ${source.topic}`;
  const amount = records.isExact
    ? plural(records.count, 'record')
    : `up to ${plural(records.count, 'record')}`;
  const lines = [`topic ${target}${from}: ${verbs[action]}; ${amount}${timesText(topic)}`];
  if (action === 'create' || action === 'recreate') {
    const factor =
      replicationFactor < 0 ? 'the default replication factor' : `replication factor ${replicationFactor}`;
    lines.push(`  ${plural(partitionCount, 'partition')}, ${factor}; the topic id changes`);
  }
  const kept = partitionCount - topic.emptied.size;
  if (action === 'empty' && kept > 0)
    lines.push(
      `  emptied are partitions ${[...topic.emptied.keys()].join(', ')}; the others stay as they are`,
    );
  if (topic.isRepartitioned)
    lines.push(
      `  from ${plural(partitions.length, 'partition')} into ${partitionCount}: each record goes where its key belongs, as the Java client does it (murmur2), those without a key in turn`,
    );
  else if (partitions.length < partitionCount)
    lines.push(`  partitions with records: ${partitions.map(({ partition }) => partition).join(', ')}`);
  if (topic.unsaved > 0n)
    lines.push(`  DISCARDED: up to ${countText(topic.unsaved)} live records that no source has`);
  const { before, behind, notLookedAt } = topic.notRestored;
  if (before > 0)
    lines.push(
      `  NOT restored: ${countText(before)} records before the time asked for; for the topic as it was at a time use --to-time`,
    );
  if (behind > 0) lines.push(`  NOT restored: ${countText(behind)} records at --to-time or later`);
  if (notLookedAt > 0)
    lines.push(
      `  NOT restored, and not looked at: up to ${countText(notLookedAt)} more outside of the times asked for`,
    );
  for (const { partition, gaps, missing, expired } of partitions) {
    for (const { from: first, to } of gaps)
      lines.push(`  gap in partition ${partition}: offsets ${first} to ${to - 1n} were never saved`);
    for (const { from: first, to } of expired)
      lines.push(
        `  NOT restored of partition ${partition}: offsets ${first} to ${to - 1n}, let go of by archive.keep`,
      );
    for (const { from: first, to } of missing)
      lines.push(`  MISSING in partition ${partition}: offsets ${first} to ${to - 1n}, no source has them`);
  }
  for (const { name, value, reason } of topic.leftOff)
    lines.push(`  ${name}=${value} is left off: ${reason}`);
  for (const life of topic.others)
    lines.push(
      `  another life of ${life.topic}: ${life.topicId}, first seen ${life.firstSeen ?? 'unknown'}, cluster ${life.cluster ?? 'unknown'} (--incarnation)`,
    );
  for (const warning of topic.warnings) lines.push(`  note: ${warning}`);
  return lines;
}

function timesText({ firstMs, lastMs }: TopicPlan): string {
  if (firstMs === undefined) return '';
  return lastMs === undefined
    ? ` from ${timeText(firstMs)} on`
    : ` from ${timeText(firstMs)} to ${timeText(lastMs)}`;
}

export function planDocument(plan: RestorePlan, goesOn: Journal | undefined): object {
  return {
    schema: 'varve.restore/1',
    type: 'plan',
    cluster: plan.cluster,
    brokers: plan.addresses,
    isOwnCluster: plan.isOwn,
    goesOn: goesOn?.id ?? null,
    topics: plan.topics.map((topic) => ({
      topic: topic.source.topic,
      incarnation: topic.source.topicId,
      target: topic.target,
      action: topic.action,
      partitions: topic.partitionCount,
      repartitioned: topic.isRepartitioned,
      replicationFactor: topic.replicationFactor,
      records: topic.records.count,
      exact: topic.records.isExact,
      first: topic.firstMs === undefined ? null : timeText(topic.firstMs),
      last: topic.lastMs === undefined ? null : timeText(topic.lastMs),
      notRestored: topic.notRestored,
      discarded: Number(topic.unsaved),
      configs: Object.fromEntries(topic.final),
      leftOff: topic.leftOff,
      otherIncarnations: topic.others.map(({ topicId, firstSeen, cluster }) => ({
        incarnation: topicId,
        firstSeen: firstSeen ?? null,
        cluster: cluster ?? null,
      })),
      missing: rangesOf(topic, 'missing'),
      expired: rangesOf(topic, 'expired'),
      gaps: rangesOf(topic, 'gaps'),
      warnings: topic.warnings,
    })),
    groups: plan.groups.map(({ group, to, offsets }) => ({
      group,
      to,
      offsets: offsets.map(({ target, partition, sourceOffset, metadata }) => ({
        topic: target,
        partition,
        sourceOffset: sourceOffset === undefined ? null : Number(sourceOffset),
        metadata,
      })),
    })),
    warnings: plan.warnings,
    incomplete: plan.incomplete,
  };
}

function rangesOf({ partitions }: TopicPlan, which: 'missing' | 'expired' | 'gaps'): object[] {
  return partitions.flatMap((row) =>
    row[which].map(({ from, to }) => ({ partition: row.partition, from: String(from), to: String(to) })),
  );
}
