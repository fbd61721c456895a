import { accessDocument, accessRows } from './access.ts';
import { exitStatusByCode } from '../errors.ts';
import { bytesText, countText, plural } from '../observe/observe.ts';
import type { SnapshotDetail } from '../target/target.ts';
import type { Overview, SnapshotRow, TopicRow } from '../snapshot/snapshot.ts';
import type { Command, CommandContext } from './command.ts';
import { askTarget, recall } from './repository.ts';
import { snapshotChoice } from './snapshot-choice.ts';
import { momentText } from './times.ts';

export const command: Command = {
  name: 'list',
  summary: 'List the snapshots, or what one of them holds',
  description:
    'Without a name: every snapshot of every instance, the newest last, with its views. With one: the topics that it ' +
    'holds, from when to when, and the groups. A name is an id, a view such as daily.0, latest, or a time, which means ' +
    'the newest snapshot that is not later. Needs no broker and no local folder. Ends with 4 where something that ' +
    'should be a snapshot cannot be read.',
  examples: [
    ['varve list', 'every snapshot'],
    ['varve list latest', 'what the newest one holds'],
    ['varve list daily.1 --json', 'the same of the daily one before, for programs'],
  ],
  positionals: [{ name: 'snapshot', summary: 'An id, a view, latest, or a time' }],
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const [name] = context.args.words;
    if (name !== undefined) {
      const params = snapshotChoice(name, 'list');
      return await showOne(context, await askTarget(context, { config, order: 'show', params }));
    }
    const overview = await askTarget(context, {
      config,
      order: 'list',
      params: { instance: undefined, memory: await recall(context, config), localFolder: config.local.dir },
    });
    for (const { file, problem, hint } of overview.keyProblems)
      context.err(`damaged: keys/${file}: ${problem} (${hint})`);
    if (context.json) await context.out(JSON.stringify(listDocument(overview)));
    else await printList(context, overview);
    return overview.problems.length > 0 ? exitStatusByCode.damage : 0;
  },
};

function listDocument(overview: Overview): object {
  const { repository, clusters, created, snapshots, problems, keyProblems, freeBytes } = overview;
  return {
    schema: 'varve.list/1',
    repository,
    clusters,
    created,
    freeBytes,
    snapshots: snapshots.map(rowDocument),
    problems,
    keyProblems: keyProblems.map(({ file, problem, hint }) => ({ file, problem, hint })),
  };
}

export function rowDocument({ takenMs, publishedMs, verifiedMs, ...row }: SnapshotRow): object {
  return {
    ...row,
    taken: momentText(takenMs),
    published: momentText(publishedMs),
    verifiedSince: row.verified ? momentText(verifiedMs) : null,
  };
}

async function printList({ out, table }: CommandContext, { snapshots, problems }: Overview): Promise<void> {
  if (snapshots.length === 0) await out('there is no snapshot yet: varve backup publishes the first');
  const isOne = new Set(snapshots.map(({ instance }) => instance)).size <= 1;
  const head = [...(isOne ? [] : ['instance']), 'snapshot', 'topics', 'records', 'new', 'state'];
  const rows = snapshots.map((row) => [
    ...(isOne ? [] : [row.instance]),
    row.id,
    countText(row.topics),
    countText(row.records),
    bytesText(row.newBytes),
    [row.verified ? 'verified' : 'NOT VERIFIED', ...(row.pinned ? ['pinned'] : []), ...row.views].join(', '),
  ]);
  if (rows.length > 0) await table([head, ...rows]);
  for (const { instance, id, problem } of problems)
    await out(`damaged: ${isOne ? '' : `${instance}/`}${id}: ${problem}`);
}

async function showOne(context: CommandContext, { row, manifest, topics }: SnapshotDetail): Promise<number> {
  const groups = manifest.groups?.groups ?? [];
  if (context.json) {
    const document = {
      schema: 'varve.snapshot-content/1',
      snapshot: rowDocument(row),
      topics: topics.map(topicDocument),
      groups: groups.map(({ group, protocolType, offsets }) => ({
        group,
        protocolType,
        offsets: offsets.map((at) => ({ ...at, offset: String(at.offset) })),
      })),
      groupsRead: manifest.groups === null ? null : momentText(manifest.groups.readMs),
      access: accessDocument(manifest),
    };
    await context.out(JSON.stringify(document));
    return 0;
  }
  await context.out(
    `${row.id}, taken ${momentText(row.takenMs)}, ${row.verified ? 'verified' : 'NOT VERIFIED'}, ` +
      `${bytesText(row.bytes)} in ${plural(manifest.packs.length, 'pack')}`,
  );
  await printTopics(context, topics);
  if (groups.length > 0) await context.out(`${plural(groups.length, 'group')}:`);
  await context.table(groups.map(({ group, offsets }) => [group, plural(offsets.length, 'offset')]));
  await context.table(accessRows(manifest, context.host.clock.nowMs()));
  for (const refusal of manifest.accessRefusals) await context.out(`not told in this cycle: ${refusal}`);
  return 0;
}

export async function printTopics({ table }: CommandContext, topics: readonly TopicRow[]): Promise<void> {
  if (topics.length === 0) return;
  const head = ['topic', 'partitions', 'records', 'from', 'to', ''];
  await table([
    head,
    ...topics.map((row) => [
      row.topic,
      countText(row.partitions),
      countText(row.records),
      secondOf(row.firstMs),
      secondOf(row.lastMs),
      [
        ...(row.gaps > 0 ? [`${plural(row.gaps, 'gap')} of ${countText(row.missingOffsets)} offsets`] : []),
        ...(row.isExpected ? [] : ['an earlier life, or gone']),
      ].join(', '),
    ]),
  ]);
}

export function topicDocument({ firstMs, lastMs, missingOffsets, isExpected, ...row }: TopicRow): object {
  return {
    ...row,
    present: isExpected,
    from: firstMs === null ? null : timeOf(firstMs),
    to: lastMs === null ? null : timeOf(lastMs),
    missingOffsets: String(missingOffsets),
  };
}

/** For people: milliseconds do not fit beside the rest. */
function secondOf(ms: bigint | null): string {
  return timeOf(ms).replace(/\.\d{3}Z$/, 'Z');
}

/** Records carry whatever time their producers liked. */
function timeOf(ms: bigint | null): string {
  if (ms === null) return '-';
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
