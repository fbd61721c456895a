/** The drill itself: which sample, into which topics or none, and what came of it. */
import { VarveError } from '../errors.ts';
import {
  chooseLife,
  chooseTopics,
  findSources,
  runRestore,
  scanSources,
  type Life,
  type RestoreRequest,
  type TopicReport,
} from '../restore/restore.ts';
import { OpenBackup } from '../sources/sources.ts';
import type { ReadingSession, SnapshotDetail } from '../target/target.ts';
import type { DrillPorts, DrillRequest } from './ports.ts';
import {
  problemOf,
  type DrilledPartition,
  type DrilledTopic,
  type DrillProblem,
  type DrillReport,
} from './report.ts';
import { planSample, type Candidate, type Sample, type SampledTopic } from './sample.ts';
import { SampledBackup } from './sampled.ts';
import { scratchName } from './scratch.ts';

export type Rehearsal = Pick<
  DrillReport,
  'passed' | 'problem' | 'isWhole' | 'topics' | 'leftOut' | 'records' | 'bytes' | 'notes'
>;

export interface RehearsePorts extends DrillPorts {
  readonly id: string;
  /** Where the journal of the restore is kept. */
  readonly folder: string | undefined;
  readonly detail: SnapshotDetail;
  readonly reading: ReadingSession;
}

/** So many partitions a cluster can be asked for, for a few minutes. Nothing is made where nothing is restored. */
const partitionsMax = 1000;

export async function rehearse(request: DrillRequest, ports: RehearsePorts): Promise<Rehearsal> {
  const { detail, reading, host } = ports;
  const backup = new OpenBackup(host.disk, { local: undefined, snapshots: [{ ...detail, reading }] });
  const candidates = await candidatesOf(backup, request, detail);
  const sample = planSample(candidates, {
    bytesMax: request.bytesMax ?? Infinity,
    partitionsMax: request.kind === 'restore' ? partitionsMax : Infinity,
    turn: host.random.bytes(4).readUInt32BE(0),
  });
  const sampled = new SampledBackup(backup, sample);
  const { topics, notes } =
    request.kind === 'restore'
      ? await restoreSample(sampled, sample, ports)
      : await checkSample(sampled, sample, ports);
  const problem = gravest(topics);
  return {
    passed: problem === null,
    problem,
    isWhole: sample.isWhole && sample.topics.length === backup.topics.length,
    topics,
    leftOut: sample.leftOut,
    records: topics.reduce((sum, { records }) => sum + records, 0),
    bytes: topics.reduce((sum, { bytes }) => sum + bytes, 0),
    notes,
  };
}

async function candidatesOf(
  backup: OpenBackup,
  { topics }: DrillRequest,
  { manifest }: SnapshotDetail,
): Promise<Candidate[]> {
  const names = { topics, allTopics: false, excludeTopics: [], toTopic: undefined, map: [] };
  const candidates: Candidate[] = [];
  for (const { topic } of chooseTopics(backup.topics, names)) {
    const { life } = chooseLife(await backup.lives(topic), undefined);
    const row = manifest.incarnations.find(({ topicId }) => topicId === life.topicId);
    candidates.push({
      topic,
      topicId: life.topicId,
      partitionCount: partitionCountOf(life),
      partitions: (row?.partitions ?? []).map(({ partition, coverage, rawBytes }) => ({
        partition,
        ranges: coverage.ranges,
        rawBytes,
      })),
    });
  }
  return candidates;
}

function partitionCountOf({ settings, partitions }: Life): number {
  return Math.max(settings?.partitions ?? 1, ...partitions.map(({ partition }) => partition + 1));
}

/** All of it, as an operator would, but under names of its own and without groups. */
function requestOf(sample: Sample, { id, detail: { row } }: RehearsePorts): RestoreRequest {
  return {
    topics: [],
    allTopics: false,
    excludeTopics: [],
    fromMs: undefined,
    toMs: undefined,
    partitions: [],
    toTopic: undefined,
    map: sample.topics.map(({ topic }, index) => [topic, scratchName(id, index, topic)] as const),
    incarnation: undefined,
    snapshot: row.id,
    instance: row.instance,
    localOnly: false,
    mode: 'create',
    groups: 'none',
    groupsTo: 'saved',
    skipActiveGroups: false,
    acceptMissing: true, // what policy let go of is no failure
    discardUnsaved: false,
    salvage: false,
    replicationFactor: undefined,
    repartition: undefined,
    topicConfigs: [],
    applyRetention: false,
  };
}

/** Nobody is asked, and nobody shown a plan: what it made goes again. */
const quiet = async (): Promise<void> => undefined;

type Came = Pick<DrillReport, 'topics' | 'notes'>;

async function restoreSample(backup: SampledBackup, sample: Sample, ports: RehearsePorts): Promise<Came> {
  const { host, addresses, folder, progress, warn, signal, connect } = ports;
  await using cluster = await connect(signal);
  const report = await runRestore(
    requestOf(sample, ports),
    { command: 'varve drill', dryRun: false, isCompared: true, throttle: undefined },
    {
      host,
      cluster,
      addresses,
      backup,
      claimed: new Map(),
      localFolder: folder,
      signal,
      progress,
      warn,
      onPlan: quiet,
      confirm: quiet,
      onBegun: quiet,
    },
  );
  const rows = report?.topics ?? [];
  const topics = sample.topics.map((topic) =>
    restored(
      topic,
      rows.find((row) => row.topic === topic.topic),
    ),
  );
  return { topics, notes: report?.incomplete ?? [] };
}

function restored(sampled: SampledTopic, row: TopicReport | undefined): DrilledTopic {
  const { topic } = sampled;
  const partitions = sampled.partitions.map((part) => ({
    ...part,
    records: row?.partitions.find(({ partition }) => partition === part.partition)?.records ?? 0,
  }));
  const problem = row === undefined ? notRestored : problemIn(row);
  return {
    topic,
    target: row?.target ?? null,
    records: row?.records ?? 0,
    bytes: row?.bytes ?? 0,
    partitions,
    problem,
  };
}

const notRestored: DrillProblem = { code: 'failed', message: 'it was not restored', hint: null };

function problemIn({ problem, code, hint }: TopicReport): DrillProblem | null {
  if (problem === null) return null;
  return problemOf(new VarveError(code ?? 'failed', problem, hint === null ? {} : { hint }));
}

/** Without a broker: every record is read as a restore reads it, each batch checked, each count held against the packs. */
async function checkSample(backup: SampledBackup, sample: Sample, ports: RehearsePorts): Promise<Came> {
  const { progress, signal } = ports;
  const request = requestOf(sample, ports);
  progress.phase = 'reading';
  const topics: DrilledTopic[] = [];
  for (const source of await findSources(backup, request, new Map())) {
    const { topic } = source.life;
    const sampled = sample.topics.find((row) => row.topic === topic);
    const base = { topic, target: null, records: 0, bytes: 0, partitions: [] };
    try {
      const [read] = await scanSources([source], { request, progress, signal, onLost: undefined });
      const rows = read?.partitions ?? [];
      const partitions = (sampled?.partitions ?? []).map((part): DrilledPartition => {
        const counts = rows.find(({ partition }) => partition === part.partition)?.scanned;
        return { ...part, records: counts?.records ?? 0 };
      });
      const bytes = rows.reduce((sum, { scanned }) => sum + (scanned?.bytes ?? 0), 0);
      const records = partitions.reduce((sum, row) => sum + row.records, 0);
      topics.push({ ...base, records, bytes, partitions, problem: null });
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'damage') throw error;
      topics.push({ ...base, problem: problemOf(error) });
    }
  }
  return { topics, notes: [] };
}

/** Damage comes before what merely went wrong on the way. */
function gravest(topics: readonly DrilledTopic[]): DrillProblem | null {
  const failed = topics.filter(({ problem }) => problem !== null);
  const worst = failed.find(({ problem }) => problem?.code === 'damage') ?? failed[0];
  if (worst === undefined || worst.problem === null) return null;
  const { code, message, hint } = worst.problem;
  const more = failed.length === 1 ? '' : `, and ${failed.length - 1} more`;
  return { code, message: `topic ${worst.topic}: ${message}${more}`, hint };
}
