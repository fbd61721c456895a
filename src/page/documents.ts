/** The facts as documents: what /api/v1 answers, and all that the page draws. */
import { type CycleNote, type PageFacts } from './facts.ts';
import { concernsOf, type Concern } from './concerns.ts';
import { momentText } from '../observe/observe.ts';
import { layersOf, topicsOf, type TopicDocument, type TopicRow } from './topics.ts';
import { shownOf, type Asked } from './choice.ts';

export interface StatusDocument {
  readonly schema: 'varve.status/1';
  readonly time: string;
  readonly version: string;
  readonly name: string;
  readonly instance: string;
  readonly cluster: string | null;
  readonly repository: string | null;
  readonly started: string;
  /** Nothing is wrong and nothing is doubtful. */
  readonly healthy: boolean;
  readonly concerns: readonly Concern[];
  /** Null where there is none, or no repository. */
  readonly newestVerified: { readonly id: string; readonly taken: string } | null;
  readonly newest: { readonly id: string; readonly taken: string } | null;
  readonly snapshots: number | null;
  /** Committed, and not on the local disk. */
  readonly lagRecords: number;
  /** Committed, and in no snapshot: what is lost with this host and the cluster. Null where no repository is known. */
  readonly unsavedRecords: number | null;
  readonly unsavedBytes: number | null;
  readonly topics: number;
  readonly notBackedUp: readonly { readonly topic: string; readonly reason: string }[];
  readonly local: { readonly freeBytes: number | null; readonly fullInMs: number | null };
  readonly target: { readonly state: string; readonly freeBytes: number | null } | null;
  readonly nextCycle: string | null;
}

export interface SnapshotsDocument {
  readonly schema: 'varve.snapshots/1';
  readonly time: string;
  /** When the repository was looked at. */
  readonly looked: string | null;
  /** Newest first. */
  readonly snapshots: readonly SnapshotDocument[];
}

export interface SnapshotDocument {
  readonly id: string;
  readonly seq: number;
  readonly taken: string;
  readonly verified: boolean;
  readonly pinned: boolean;
  readonly views: readonly string[];
  readonly reasons: readonly string[];
  readonly topics: number;
  readonly records: number;
  readonly bytes: number;
  readonly newBytes: number;
}

export interface CyclesDocument {
  readonly schema: 'varve.cycles/1';
  readonly time: string;
  readonly next: string | null;
  /** Newest first: those of this daemon, then those that earlier ones published. */
  readonly cycles: readonly CycleDocument[];
}

export interface CycleDocument {
  /** Null where an earlier daemon ran it. */
  readonly trigger: string | null;
  readonly began: string;
  readonly tookMs: number | null;
  readonly outcome: CycleNote['outcome'];
  readonly phase: string | null;
  readonly phasesMs: Readonly<Partial<Record<string, number>>>;
  readonly snapshot: string | null;
  readonly newBytes: number | null;
  readonly linkedBytes: number | null;
  readonly verified: boolean | null;
  readonly expired: number | null;
  readonly problem: string | null;
  readonly hint: string | null;
}

export interface TopicsDocument {
  readonly schema: 'varve.topics/1';
  readonly time: string;
  /** Of all that were asked for. */
  readonly found: number;
  readonly page: number;
  readonly pages: number;
  readonly topics: readonly TopicDocument[];
}

export interface Documents {
  readonly status: StatusDocument;
  /** Every topic, the largest first. */
  readonly rows: readonly TopicRow[];
  /** Those that were asked for, with their layers. */
  readonly topics: (asked: Asked) => TopicsDocument;
  readonly layers: (row: TopicRow) => TopicDocument;
  readonly snapshots: SnapshotsDocument;
  readonly cycles: CyclesDocument;
}

export function documentsOf(facts: PageFacts): Documents {
  const time = momentText(facts.nowMs);
  const rows = topicsOf(facts);
  const layers = (row: TopicRow): TopicDocument => layersOf(facts, row);
  const strata = facts.repository?.strata;
  const snapshots = (strata?.snapshots ?? []).map((row): SnapshotDocument => ({
    id: row.id,
    seq: row.seq,
    taken: momentText(row.takenMs),
    verified: row.verified,
    pinned: row.pinned,
    views: row.views,
    reasons: row.reasons,
    topics: row.topics,
    records: row.records,
    bytes: row.bytes,
    newBytes: row.newBytes,
  }));
  const looked = momentOrNull(facts.repository?.lookedMs);
  return {
    status: statusOf(facts, rows),
    rows,
    layers,
    topics(asked) {
      const { topics, ...counts } = shownOf(rows, asked);
      return { schema: 'varve.topics/1', time, ...counts, topics: topics.map(layers) };
    },
    snapshots: { schema: 'varve.snapshots/1', time, looked, snapshots: snapshots.toReversed() },
    cycles: {
      schema: 'varve.cycles/1',
      time,
      next: momentOrNull(facts.daemon.cycles?.nextMs),
      cycles: cyclesOf(facts),
    },
  };
}

function statusOf(facts: PageFacts, topics: readonly TopicRow[]): StatusDocument {
  const { daemon, repository, version, name, instance, cluster } = facts;
  const strata = repository?.strata;
  const concerns = concernsOf(facts, topics);
  const verified = strata?.snapshots.findLast((row) => row.verified);
  const newest = strata?.snapshots.at(-1);
  const isKnown = strata !== undefined;
  return {
    schema: 'varve.status/1',
    time: momentText(facts.nowMs),
    version,
    name,
    instance,
    cluster,
    repository: strata?.repository ?? null,
    started: momentText(daemon.startedMs),
    healthy: concerns.length === 0,
    concerns,
    newestVerified: verified === undefined ? null : { id: verified.id, taken: momentText(verified.takenMs) },
    newest: newest === undefined ? null : { id: newest.id, taken: momentText(newest.takenMs) },
    snapshots: strata?.snapshots.length ?? null,
    lagRecords: topics.reduce((sum, topic) => sum + topic.lagRecords, 0),
    unsavedRecords: isKnown ? topics.reduce((sum, topic) => sum + topic.unsavedRecords, 0) : null,
    unsavedBytes:
      isKnown && facts.unsaved !== undefined
        ? topics.reduce((sum, topic) => sum + topic.unsavedBytes, 0)
        : null,
    topics: topics.filter(({ isLive }) => isLive).length,
    notBackedUp: notBackedUpOf(facts),
    local: { freeBytes: daemon.localFreeBytes ?? null, fullInMs: daemon.localFullInMs ?? null },
    target:
      daemon.cycles === undefined
        ? null
        : {
            state: daemon.cycles.target,
            freeBytes: daemon.cycles.targetFreeBytes ?? strata?.freeBytes ?? null,
          },
    nextCycle: momentOrNull(daemon.cycles?.nextMs),
  };
}

/** One line a topic: what stops a whole topic, or the first of its partitions that stands. */
function notBackedUpOf({ missing, followed }: PageFacts): StatusDocument['notBackedUp'] {
  const found = new Map<string, string>();
  const note = (topic: string, partition: number | undefined, message: string): void => {
    if (!found.has(topic))
      found.set(topic, partition === undefined ? message : `partition ${partition}: ${message}`);
  };
  for (const { topic, partition, message } of missing) note(topic, partition, message);
  for (const { topic, partition, state, problem } of followed)
    if (state === 'stopped') note(topic, partition, problem ?? 'stopped');
  return [...found].map(([topic, reason]) => ({ topic, reason }));
}

function cyclesOf(facts: PageFacts): CycleDocument[] {
  const own = facts.cycles.map((note): CycleDocument => ({
    trigger: note.trigger,
    began: momentText(note.beganMs),
    tookMs: note.endedMs === undefined ? null : note.endedMs - note.beganMs,
    outcome: note.outcome,
    phase: note.phase ?? null,
    phasesMs: note.phasesMs,
    snapshot: note.snapshot ?? null,
    newBytes: note.newBytes ?? null,
    linkedBytes: note.linkedBytes ?? null,
    verified: note.verified ?? null,
    expired: note.expired,
    problem: note.problem ?? null,
    hint: note.hint ?? null,
  }));
  const known = new Set(own.map(({ snapshot }) => snapshot));
  const earlier = (facts.repository?.strata?.snapshots ?? [])
    .filter(({ id }) => !known.has(id))
    .toReversed()
    .map((row): CycleDocument => ({
      trigger: null,
      began: momentText(row.takenMs),
      tookMs: Math.max(0, row.publishedMs - row.takenMs),
      outcome: 'published',
      phase: null,
      phasesMs: {},
      snapshot: row.id,
      newBytes: row.newBytes,
      linkedBytes: row.bytes - row.newBytes,
      verified: row.verified,
      expired: null,
      problem: null,
      hint: null,
    }));
  return [...own, ...earlier].slice(0, cyclesMax);
}

const cyclesMax = 15;

function momentOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : momentText(ms);
}
