import { accessCounts, accessText } from './access.ts';
import { matchesTopic, type Config } from '../config/config.ts';
import { listGaps, listIncarnations, listSegments, partitionFolder, type FoundGap } from '../local/local.ts';
import { bytesText, countText, plural } from '../observe/observe.ts';
import { readMemory, sharingText, type Manifest } from '../repository/repository.ts';
import type { Overview } from '../snapshot/snapshot.ts';
import type { SnapshotDetail } from '../target/target.ts';
import type { Command, CommandContext } from './command.ts';
import { drillDocument, drillFindings, drillText, lastDrill } from './drills.ts';
import {
  failureOf,
  findingDocument,
  gravestStatus,
  printFinding,
  verdict,
  type Finding,
} from './findings.ts';
import {
  keyProblemFindings,
  lookAtCycles,
  lookForRestores,
  newGapsFinding,
  snapshotFindings,
  spaceText,
} from './health.ts';
import { printTopics, rowDocument, topicDocument } from './list.ts';
import { askTarget, recall } from './repository.ts';
import { agoText } from './times.ts';

export const command: Command = {
  name: 'info',
  summary: 'Tell what is backed up, how old it is, and what is not',
  description:
    'Answers in one page: is it healthy, how old is the newest verified snapshot, from when to when can each topic be ' +
    'restored, what is not in any snapshot, which gaps there are, how long data is kept, and how long the local disk ' +
    'lasts while the target is away. Needs no broker; without local.dir it tells what the repository knows. Ends with ' +
    'the status of the gravest finding.',
  examples: [
    ['varve info', 'the page'],
    ['varve info --topics', 'and every topic'],
    ['varve info --json', 'for programs, every topic included'],
  ],
  options: { topics: { type: 'flag', summary: 'List every topic' } },
  needs: ['repository'],
  async run(context) {
    const config = await context.config();
    const { host } = context;
    const nowMs = host.clock.nowMs();
    const { overview, newest, failure } = await lookAtTarget(context, config);
    const own = newest.find(({ row }) => row.instance === config.instance);
    const local =
      config.local.dir === undefined ? undefined : await lookAtLocal(context, config, own?.manifest);
    const newGaps = local?.newGaps ?? [];
    const findings: Finding[] = [
      ...(config.local.dir === undefined
        ? []
        : [...(await lookAtCycles(context, config)), ...(await lookForRestores(context, config.local.dir))]),
      ...(newGaps.length === 0 ? [] : [newGapsFinding(newGaps)]),
      ...(failure === undefined ? [] : [failure]),
      ...(overview === undefined
        ? []
        : [
            ...snapshotFindings(overview, config, nowMs),
            ...keyProblemFindings(overview.keyProblems),
            ...drillFindings(overview, { config, memory: await recall(context, config), nowMs }),
          ]),
    ];
    const status = gravestStatus(findings);
    const facts = { config, overview, newest, findings, local, nowMs };
    if (context.json) await context.out(JSON.stringify(infoDocument(facts, status)));
    else await print(context, facts);
    return status;
  },
};

interface TargetFacts {
  readonly overview: Overview | undefined;
  readonly newest: readonly SnapshotDetail[];
  readonly failure: Finding | undefined;
}

/** A target that is away is when the rest of the page is wanted most. */
async function lookAtTarget(context: CommandContext, config: Config): Promise<TargetFacts> {
  try {
    const memory = await recall(context, config);
    const params = { instance: undefined, memory, localFolder: config.local.dir };
    return { ...(await askTarget(context, { config, order: 'overview', params })), failure: undefined };
  } catch (error) {
    return { overview: undefined, newest: [], failure: failureOf('repository', error) };
  }
}

interface Facts {
  readonly config: Config;
  readonly overview: Overview | undefined;
  readonly newest: readonly SnapshotDetail[];
  readonly findings: readonly Finding[];
  readonly local: LocalFacts | undefined;
  readonly nowMs: number;
}

interface LocalFacts {
  readonly unsavedSegments: number;
  readonly unsavedBytes: number;
  readonly excludedTopics: readonly string[];
  readonly newGaps: readonly FoundGap[];
  readonly freeBytes: number;
  /** Of what came since the newest snapshot. */
  readonly bytesPerMs: number;
  readonly lastAttempt: string | null;
}

/** What stands on the local disk only, and how long that disk lasts. */
async function lookAtLocal(
  { host }: CommandContext,
  config: Config,
  manifest: Manifest | undefined,
): Promise<LocalFacts> {
  const folder = config.local.dir ?? '';
  const memory = await readMemory(host, folder);
  const publishedMs = memory?.lastSuccess?.atMs ?? 0;
  const sinceMs = manifest?.takenMs ?? memory?.lastSuccess?.atMs ?? memory?.sinceMs ?? host.clock.nowMs();
  const ends = new Map<string, bigint>();
  for (const { topicId, partitions } of manifest?.incarnations ?? [])
    for (const { partition, sealed } of partitions)
      ends.set(`${topicId}/${partition}`, sealed.at(-1)?.to ?? 0n);
  let unsavedSegments = 0;
  let unsavedBytes = 0;
  for (const { topic, topicId, partitions } of await listIncarnations(host.disk, folder)) {
    for (const partition of partitions) {
      const end = ends.get(`${topicId}/${partition}`) ?? 0n;
      for (const { path, base } of await listSegments(
        host.disk,
        partitionFolder(folder, { topic, topicId, partition }),
      )) {
        if (base < end) continue;
        const stat = await host.disk.stat(path);
        // Without a manifest at hand, what was written since the last cycle is what no snapshot holds.
        if (stat === undefined || (manifest === undefined && stat.modifiedMs < publishedMs)) continue;
        unsavedSegments += 1;
        unsavedBytes += stat.byteLength;
      }
    }
  }
  const topics = manifest?.incarnations.filter(({ isExpected }) => isExpected) ?? [];
  return {
    unsavedSegments,
    unsavedBytes,
    excludedTopics: topics.map(({ topic }) => topic).filter((topic) => !matchesTopic(config, topic)),
    newGaps: (await listGaps(host.disk, folder)).filter(({ isAccepted }) => !isAccepted),
    freeBytes: Math.max(0, (await host.disk.freeBytes(folder)) - config.local.minFree),
    bytesPerMs: unsavedBytes / Math.max(1, host.clock.nowMs() - sinceMs),
    lastAttempt: memory?.lastAttempt?.outcome ?? null,
  };
}

function infoDocument(facts: Facts, status: number): object {
  const { overview, newest, findings, local, config } = facts;
  return {
    schema: 'varve.info/1',
    healthy: status === 0,
    findings: findings.map(findingDocument),
    repository: overview?.repository ?? null,
    clusters: overview?.clusters ?? [],
    snapshots: overview?.snapshots.length ?? null,
    newestVerified: documentOf(overview?.snapshots.findLast((row) => row.verified)),
    targetFreeBytes: overview?.freeBytes ?? null,
    sharing: overview?.sharing ?? [],
    archive: config.archive,
    retain: config.retain,
    lastDrill: drillDocument(overview && lastDrill(overview, config.instance)),
    topics: newest.flatMap(({ row, topics }) =>
      topics.map((topic) => ({ instance: row.instance, ...topicDocument(topic) })),
    ),
    groups: newest.reduce((sum, { manifest }) => sum + (manifest.groups?.groups.length ?? 0), 0),
    access: newest.map(({ row, manifest }) => ({ instance: row.instance, ...accessCounts(manifest) })),
    local: local === undefined ? null : localDocument(local),
  };
}

function documentOf(row: Overview['snapshots'][number] | undefined): object | null {
  return row === undefined ? null : rowDocument(row);
}

function localDocument({ newGaps, ...rest }: LocalFacts): object {
  return {
    ...rest,
    lastsMs: rest.bytesPerMs > 0 ? Math.round(rest.freeBytes / rest.bytesPerMs) : null,
    newGaps: newGaps.map(({ topic, topicId, partition, from, to }) => ({
      topic,
      topicId,
      partition,
      from: String(from),
      to: String(to),
    })),
  };
}

/** How old what could be restored is: the answer that is looked for first. */
function newestText({ overview, nowMs }: Facts): string {
  if (overview === undefined) return 'what is in the repository cannot be told';
  const row = overview.snapshots.findLast(({ verified }) => verified);
  return row === undefined
    ? 'there is no verified snapshot'
    : `the newest verified snapshot was taken ${agoText(row.takenMs, nowMs)}`;
}

async function print(context: CommandContext, facts: Facts): Promise<void> {
  const { overview, newest, findings, local, config, nowMs } = facts;
  const { out } = context;
  await out(`${verdict(findings, { good: 'healthy', bad: 'NOT healthy' })}; ${newestText(facts)}`);
  for (const finding of findings) await printFinding(context, finding);
  for (const { row, topics, manifest } of newest) {
    const records = topics.reduce((sum, topic) => sum + topic.records, 0);
    await out(
      `${row.instance}: ${plural(topics.length, 'topic')}, ${countText(records)} records, ` +
        `${plural(manifest.groups?.groups.length ?? 0, 'group')}, as of ${row.id} (${agoText(row.takenMs, nowMs)})`,
    );
    await out(`${row.instance}: ${accessText(manifest)}`);
    if (context.args.flag('topics')) await printTopics(context, topics);
  }
  if (local !== undefined) {
    const { unsavedSegments, unsavedBytes, newGaps, excludedTopics, freeBytes } = local;
    await out(
      unsavedSegments === 0
        ? 'every record on the local disk is in a snapshot'
        : `not in a snapshot yet: ${plural(unsavedSegments, 'segment')}, ${bytesText(unsavedBytes)}, on the local disk only`,
    );
    if (excludedTopics.length > 0)
      await out(`no longer followed, by the configuration: ${excludedTopics.join(', ')}`);
    if (newGaps.length === 0) await out('no new gap');
    await out(
      `local room: ${bytesText(freeBytes)} above local.minFree: if the target is away, ${spaceText(local)}`,
    );
  }
  await out(`data is kept ${archiveText(config)}`);
  const drill = overview && lastDrill(overview, config.instance);
  await out(drill === undefined ? 'no drill has run yet: varve drill' : drillText(drill, nowMs));
  if (overview !== undefined) await out(`target: ${bytesText(overview.freeBytes)} free`);
  for (const instance of overview?.sharing ?? []) await out(`note: ${sharingText(instance)}`);
}

function archiveText({ archive }: Config): string {
  const own = Object.entries(archive.topics).map(([topic, { keep }]) => `${topic} ${keepText(keep)}`);
  return [keepText(archive.keep), ...own].join(', ');
}

function keepText(keep: Config['archive']['keep']): string {
  return keep === 'forever' ? 'for ever' : `for ${plural(keep.months, 'month')}`;
}
