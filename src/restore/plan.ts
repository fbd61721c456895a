/** What a restore will do: a pure function of the backup, the cluster and what was asked for. */
import { VarveError } from '../errors.ts';
import type { Copy, Life, Range } from './backup.ts';
import type { GroupPlan } from './group-plan.ts';
import type { NotRestored } from './report.ts';
import { partitionNumbers } from './repartition.ts';
import type { RestoreRequest } from './request.ts';
import type { StreamCounts } from './stream.ts';
import { without, type Stretches } from './stretches.ts';
import {
  deletingRetention,
  retentionNames,
  temporaryConfigs,
  wantedConfigs,
  type ConfigPairs,
  type LeftOff,
} from './topic-settings.ts';

export interface SourcePartition {
  readonly partition: number;
  readonly copies: readonly Copy[];
  readonly plan: Stretches;
  /** What a reading of everything found; undefined where nothing was read yet. */
  readonly scanned: StreamCounts | undefined;
}

export interface SourceTopic {
  readonly life: Life;
  readonly others: readonly Life[];
  /** What the backup has of the topic that has the target's name. */
  readonly livesOfTarget: readonly Life[];
  readonly target: string;
  readonly partitions: readonly SourcePartition[];
}

export interface ExistingTopic {
  readonly topicId: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly start: bigint;
    readonly end: bigint;
  }[];
  /** Set on the topic itself. */
  readonly configs: ConfigPairs;
}

export interface TargetFacts {
  readonly cluster: string;
  readonly addresses: string;
  readonly brokers: number;
  readonly topics: ReadonlyMap<string, ExistingTopic>;
  /** By target topic: what would apply to it in the end, and what of the wanted the cluster refuses. */
  readonly effective: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly refused: ReadonlyMap<string, readonly LeftOff[]>;
  readonly known: ReadonlySet<string>;
  readonly nowMs: number;
}

export interface PartitionPlan {
  readonly partition: number;
  readonly ranges: readonly Range[];
  readonly missing: readonly Range[];
  /** What policy has let go of. */
  readonly expired: readonly Range[];
  readonly gaps: readonly Range[];
  /** At most so many. */
  readonly recordsMax: number;
}

export type TopicAction = 'create' | 'recreate' | 'empty' | 'append' | 'fill';

export interface TopicPlan {
  readonly source: Pick<Life, 'topic' | 'topicId' | 'cluster' | 'firstSeen'>;
  readonly others: readonly Pick<Life, 'topic' | 'topicId' | 'cluster' | 'firstSeen'>[];
  readonly target: string;
  readonly action: TopicAction;
  readonly existing: ExistingTopic | undefined;
  /** Partitions whose records go, and where each of them ends: what is restored goes there. */
  readonly emptied: ReadonlyMap<number, bigint>;
  /** Live records that no source has; they go. */
  readonly unsaved: bigint;
  readonly partitionCount: number;
  /** Into another number of partitions than the backup has: `partitions` are those of the backup. */
  readonly isRepartitioned: boolean;
  readonly replicationFactor: number;
  readonly temporary: ConfigPairs;
  /** In the end. */
  readonly final: ConfigPairs;
  /** Of retention and cleanup policy, from whatever level they come. */
  readonly effective: ConfigPairs;
  readonly leftOff: readonly LeftOff[];
  readonly partitions: readonly PartitionPlan[];
  /** Exact where everything was read, else at most so many. */
  readonly records: { readonly count: number; readonly isExact: boolean };
  readonly firstMs: bigint | undefined;
  readonly lastMs: bigint | undefined;
  readonly notRestored: NotRestored;
  readonly warnings: readonly string[];
}

export interface RestorePlan {
  readonly cluster: string;
  readonly addresses: string;
  /** Whether the backup is of this cluster. */
  readonly isOwn: boolean;
  readonly topics: readonly TopicPlan[];
  readonly groups: readonly GroupPlan[];
  readonly warnings: readonly string[];
  /** Why it ends with 3 even if all goes well. */
  readonly incomplete: readonly string[];
}

export function planTopic(source: SourceTopic, target: TargetFacts, request: RestoreRequest): TopicPlan {
  const { life, others } = source;
  const existing = target.topics.get(source.target);
  const isEmpty = existing?.partitions.every(({ start, end }) => start === end) ?? true;
  const action = actionFor(source.target, { existing, isEmpty, request });
  const numbers = partitionNumbers({
    source: life.topic,
    target: source.target,
    own: partitionCountOf(life),
    action,
    existing,
    asked: request.repartition,
  });
  const partitions = source.partitions.map(partitionPlan);
  const missing = partitions.reduce((sum, row) => sum + lengthOf(row.missing), 0n);
  if (missing > 0n && !request.acceptMissing) throw missingRefused(source, partitions);
  const goes = partitionsThatGo(action, existing, request);
  const { topicId = '' } = existing ?? {};
  const unsaved = unsavedIn({ topicId, partitions: goes }, source.livesOfTarget);
  if (unsaved > 0n && !request.discardUnsaved)
    throw unsavedRefused({ target: source.target, sourceId: life.topicId, topicId, unsaved });
  const isNew = action === 'create' || action === 'recreate';
  const scans = source.partitions.flatMap(({ scanned }) => scanned ?? []);
  const times = timesOf(source, scans);
  const settings = settingsOf(source, target, { request, action, isNew, existing, scans, ...times });
  return {
    source: headOf(life),
    others: others.map(headOf),
    target: source.target,
    action,
    existing,
    emptied: new Map(action === 'empty' ? goes.map(({ partition, end }) => [partition, end]) : []),
    unsaved,
    ...numbers,
    ...settings,
    partitions,
    records: recordsOf(source, scans, partitions),
    ...times,
    notRestored: {
      before: scans.reduce((sum, { before }) => sum + before, 0),
      behind: scans.reduce((sum, { behind }) => sum + behind, 0),
      notLookedAt: scans.reduce((sum, { notLookedAt }) => sum + notLookedAt, 0),
    },
  };
}

function recordsOf(
  source: SourceTopic,
  scans: readonly StreamCounts[],
  partitions: readonly PartitionPlan[],
): TopicPlan['records'] {
  const isExact = scans.length === source.partitions.length;
  const count = isExact
    ? scans.reduce((sum, { records }) => sum + records, 0)
    : partitions.reduce((sum, { recordsMax }) => sum + recordsMax, 0);
  return { count, isExact };
}

function timesOf(
  { life, partitions }: SourceTopic,
  scans: readonly StreamCounts[],
): Pick<TopicPlan, 'firstMs' | 'lastMs'> {
  if (scans.length < partitions.length) return { firstMs: life.firstMs, lastMs: life.lastMs };
  return {
    firstMs: extreme(
      scans.map((scan) => scan.firstMs),
      (a, b) => a < b,
    ),
    lastMs: extreme(
      scans.map((scan) => scan.lastMs),
      (a, b) => a > b,
    ),
  };
}

type SettingsPlan = Pick<
  TopicPlan,
  'replicationFactor' | 'temporary' | 'final' | 'effective' | 'leftOff' | 'warnings'
>;

function settingsOf(
  source: SourceTopic,
  target: TargetFacts,
  o: {
    request: RestoreRequest;
    action: TopicAction;
    isNew: boolean;
    existing: ExistingTopic | undefined;
    scans: readonly StreamCounts[];
    firstMs: bigint | undefined;
    lastMs: bigint | undefined;
  },
): SettingsPlan {
  const { request, isNew, existing, scans, firstMs, lastMs } = o;
  const saved = source.life.settings;
  const wantedFactor = request.replicationFactor ?? saved?.replicationFactor ?? -1;
  const replicationFactor = Math.min(wantedFactor, target.brokers);
  const refused = target.refused.get(source.target) ?? [];
  const own = isNew ? saved?.configs : existing?.configs;
  const wanted = wantedConfigs(own ?? [], request.topicConfigs);
  const final = lowerMinimum(
    wanted.filter(([name]) => !refused.some((row) => row.name === name)),
    replicationFactor,
  );
  const effective = new Map([...(target.effective.get(source.target) ?? []), ...final]);
  const bytes = Math.max(0, ...scans.map((scan) => scan.bytes));
  const deleting = deletingRetention({ effective, firstMs, lastMs, bytes, nowMs: target.nowMs });
  return {
    replicationFactor,
    temporary: temporaryConfigs(target.known),
    final,
    effective: [...effective].filter(([name]) => retentionNames.has(name)),
    leftOff: [...refused, ...(request.applyRetention ? [] : deleting)],
    warnings: warningsOf({ ...o, source, wantedFactor, replicationFactor, deleting, final, wanted }),
  };
}

function headOf({ topic, topicId, cluster, firstSeen }: Life): TopicPlan['source'] {
  return { topic, topicId, cluster, firstSeen };
}

export function partitionCountOf({ settings, partitions }: Life): number {
  return Math.max(settings?.partitions ?? 1, ...partitions.map(({ partition }) => partition + 1));
}

function partitionPlan({ partition, plan }: SourcePartition): PartitionPlan {
  const ranges = plan.stretches.map(({ from, to }) => ({ from, to }));
  const { missing, expired, gaps } = plan;
  return { partition, ranges, missing, expired, gaps, recordsMax: Number(lengthOf(ranges)) };
}

function actionFor(
  topic: string,
  o: { existing: ExistingTopic | undefined; isEmpty: boolean; request: RestoreRequest },
): TopicAction {
  const { existing, isEmpty, request } = o;
  if (existing === undefined) return 'create';
  if (request.mode === 'recreate') return 'recreate';
  if (request.mode === 'append') return 'append';
  if (isEmpty) return 'fill';
  if (request.mode === 'empty') return 'empty';
  const records = existing.partitions.reduce((sum, { start, end }) => sum + end - start, 0n);
  throw new VarveError('refused', `topic ${topic} exists and is not empty: it has up to ${records} records`, {
    hint: '--to-topic NAME restores beside it; --recreate deletes it first, --empty deletes its records (both after checking that every live record is in the backup); --append writes behind what is there',
  });
}

function missingRefused({ life }: SourceTopic, partitions: readonly PartitionPlan[]): VarveError {
  const named = partitions
    .flatMap(({ partition, missing }) =>
      missing.map(({ from, to }) => `partition ${partition}: ${from} to ${to - 1n}`),
    )
    .slice(0, 10);
  return new VarveError(
    'refused',
    `offsets of topic ${life.topic} were backed up, and no source at hand has them: ${named.join('; ')}`,
    {
      hint: 'bring the local folder, instance or snapshot that has them; --accept-missing restores what is there and ends with 3',
    },
  );
}

/** The partitions of which every record goes. */
function partitionsThatGo(
  action: TopicAction,
  existing: ExistingTopic | undefined,
  { partitions: chosen }: RestoreRequest,
): ExistingTopic['partitions'] {
  if (action === 'recreate') return existing?.partitions ?? [];
  if (action !== 'empty') return [];
  return (existing?.partitions ?? []).filter(
    ({ partition }) => chosen.length === 0 || chosen.includes(partition),
  );
}

/** How many live records none of these lives has. */
export function unsavedIn(
  { topicId, partitions }: Pick<ExistingTopic, 'topicId' | 'partitions'>,
  lives: readonly Life[],
): bigint {
  const same = lives.find((life) => life.topicId === topicId);
  return partitions.reduce((sum, { partition, start, end }) => {
    const copies = same?.partitions.find((row) => row.partition === partition)?.copies ?? [];
    const held = copies.flatMap(({ coverage, absent }) =>
      coverage.ranges.flatMap((range) => without(range, absent)),
    );
    return sum + lengthOf(without({ from: start, to: end }, held));
  }, 0n);
}

export function unsavedRefused(o: {
  target: string;
  sourceId: string;
  topicId: string;
  unsaved: bigint;
}): VarveError {
  const { target, sourceId, topicId, unsaved } = o;
  const whose = topicId === sourceId ? '' : ` (its topic id is ${topicId}, the backup's is ${sourceId})`;
  return new VarveError(
    'refused',
    `topic ${target} holds up to ${unsaved} records that no source has${whose}: deleting it would lose them`,
    {
      hint: 'run varve backup first, or restore beside it with --to-topic; --discard-unsaved lets them go',
    },
  );
}

/** Writes must be possible with as many replicas as there are. */
function lowerMinimum(configs: ConfigPairs, replicationFactor: number): ConfigPairs {
  if (replicationFactor < 0) return configs;
  return configs.map(([name, value]) =>
    name === 'min.insync.replicas' && Number(value) > replicationFactor
      ? ([name, String(replicationFactor)] as const)
      : ([name, value] as const),
  );
}

function warningsOf(o: {
  source: SourceTopic;
  action: TopicAction;
  isNew: boolean;
  wantedFactor: number;
  replicationFactor: number;
  existing: ExistingTopic | undefined;
  deleting: readonly LeftOff[];
  request: RestoreRequest;
  final: ConfigPairs;
  wanted: ConfigPairs;
}): string[] {
  const found: string[] = [];
  const { life } = o.source;
  if (o.isNew && o.wantedFactor > o.replicationFactor)
    found.push(
      `replication factor ${o.replicationFactor} instead of ${o.wantedFactor}: there are no more brokers`,
    );
  const minimum = o.wanted.find(([name]) => name === 'min.insync.replicas')?.[1];
  const lowered = o.final.find(([name]) => name === 'min.insync.replicas')?.[1];
  if (minimum !== lowered && lowered !== undefined)
    found.push(`min.insync.replicas ${lowered} instead of ${minimum ?? ''}: there are no more replicas`);
  if (o.isNew && life.settings === undefined)
    found.push('no snapshot tells the settings of this topic: it gets the defaults of the cluster');
  if (o.existing !== undefined)
    found.push(
      'if Strimzi manages this topic, set strimzi.io/managed: "false" on its KafkaTopic until the restore is done',
    );
  if (o.action === 'empty')
    found.push('a group that is not set keeps its offset, which stands before all that comes');
  if (o.request.applyRetention)
    for (const { name, value, reason } of o.deleting) found.push(`${name}=${value} is applied: ${reason}`);
  return found;
}

export function lengthOf(ranges: readonly Range[]): bigint {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0n);
}

function extreme(
  values: readonly (bigint | undefined)[],
  isBetter: (a: bigint, b: bigint) => boolean,
): bigint | undefined {
  return values.reduce<bigint | undefined>(
    (best, value) => (value !== undefined && (best === undefined || isBetter(value, best)) ? value : best),
    undefined,
  );
}
