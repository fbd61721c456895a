import { bytesText, durationText, plural } from '../observe/observe.ts';
import type { RestoreReport } from '../restore/restore.ts';
import { timeText } from '../schedule/schedule.ts';

export function reportDocument(report: RestoreReport, openedBytes: number): object {
  const failed = report.topics.some(({ problem }) => problem !== null);
  return {
    schema: 'varve.restore/1',
    type: 'summary',
    id: report.id,
    restored: !failed,
    wasThere: report.wasThere,
    cluster: report.cluster,
    tookMs: report.tookMs,
    openedBytes,
    incomplete: report.incomplete,
    topics: report.topics.map((topic) => ({
      ...topic,
      firstMs: undefined,
      lastMs: undefined,
      first: topic.firstMs === null ? null : timeText(topic.firstMs),
      last: topic.lastMs === null ? null : timeText(topic.lastMs),
      partitions: topic.partitions.map((row) => ({ ...row, start: Number(row.start), end: Number(row.end) })),
      lost: topic.lost.map(({ partition, from, to }) => ({ partition, from: String(from), to: String(to) })),
    })),
    groups: report.groups.map(({ group, offsets, problem }) => ({
      group,
      problem,
      offsets: offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset: Number(offset) })),
    })),
  };
}

export function reportLines(report: RestoreReport, openedBytes: number): string[] {
  if (report.wasThere)
    return ['this restore was finished before, and its topics are as it left them: nothing was changed'];
  const lines: string[] = [];
  for (const topic of report.topics) {
    if (topic.problem !== null) {
      lines.push(`topic ${topic.target}: NOT restored: ${topic.problem}`);
      if (topic.hint !== null) lines.push(`  hint: ${topic.hint}`);
      continue;
    }
    const isCompared = topic.partitions.every(({ compared }) => compared);
    const proof = isCompared ? 'read back and compared' : 'NOT compared (--no-verify)';
    lines.push(
      `topic ${topic.target}: ${plural(topic.records, 'record')} (${bytesText(topic.bytes)}) in ${plural(topic.partitions.length, 'partition')}, ${proof}`,
    );
    for (const { name, value, reason } of topic.leftOff)
      lines.push(`  ${name}=${value} was left off: ${reason}`);
    for (const { partition, from, to } of topic.lost)
      lines.push(`  LOST in partition ${partition}: offsets ${from} to ${to - 1n}, or some of them`);
  }
  for (const { group, offsets, problem } of report.groups)
    lines.push(
      problem === null
        ? `group ${group}: ${plural(offsets.length, 'offset')} set and read back`
        : `group ${group}: NOT set: ${problem}`,
    );
  for (const reason of report.incomplete) lines.push(`incomplete: ${reason}`);
  const opened = openedBytes === 0 ? '' : `; ${bytesText(openedBytes)} of sealed blocks opened`;
  lines.push(`took ${durationText(report.tookMs)}${opened}`);
  return lines;
}

/** Three lines, whatever happened. `groupsTo` is where the groups were asked to be set, if not to their records. */
export function nextSteps(report: RestoreReport, groupsTo: string | undefined): string[] {
  if (report.wasThere) return [];
  const failed = report.topics.filter(({ problem }) => problem !== null);
  if (failed.length > 0) {
    return [
      'what to do now:',
      `1. read above why ${failed.map(({ target }) => target).join(', ')} could not be restored, and mend it`,
      '2. run the same command again, unless its hint says otherwise: what is done is not done twice',
    ];
  }
  const kept = report.topics.filter(({ leftOff }) =>
    leftOff.some(({ name }) => name.startsWith('retention.')),
  );
  return [
    'what to do now:',
    `1. start the consumers: ${standOfGroups(report, groupsTo)}; then the producers`,
    kept.length === 0
      ? '2. look at the lag of the groups, and at one record that you know'
      : `2. once the old records of ${kept.map(({ target }) => target).join(', ')} are not needed any more, set its retention again`,
  ];
}

function standOfGroups({ groups }: RestoreReport, groupsTo: string | undefined): string {
  const left = groups.filter(({ problem }) => problem !== null);
  if (left.length > 0)
    return `but not those of ${left.map(({ group }) => group).join(', ')}, which were not set`;
  if (groups.length === 0) return 'no group was set, so look first where theirs stand';
  const isAtEnd = groupsTo === 'earliest' || groupsTo === 'latest';
  return `their groups stand at ${isAtEnd ? `the ${groupsTo} of what was restored` : 'the records they were at'}`;
}
