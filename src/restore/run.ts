import { messageOf, VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Cluster, ProducerIdentity } from '../kafka/kafka.ts';
import type { Backup, Range } from './backup.ts';
import { activeGroups, planGroups, type ActiveGroup, type GroupPlan } from './group-plan.ts';
import { setGroups, type GroupChange } from './group-work.ts';
import {
  commitJournal,
  findJournals,
  newRestoreId,
  readJournals,
  writeJournal,
  type Journal,
  type JournalTopic,
} from './journal.ts';
import { planTopic, type RestorePlan, type SourceTopic, type TopicPlan } from './plan.ts';
import type { RestoreProgress } from './progress.ts';
import type { GroupReport, RestoreReport, TopicReport } from './report.ts';
import { requestHash, type RestoreRequest } from './request.ts';
import { findSources, refuseEmpty, scanSources, sourcesOf } from './sources.ts';
import { restorePartition, type StreamEnd } from './stream.ts';
import { offsetsOf, readTargetFacts } from './target-facts.ts';
import {
  changeSettings,
  createTopic,
  deleteTopic,
  foreignSettings,
  lookAt,
  waitForLeaders,
} from './target-topic.ts';
import { foreign } from './partition-writer.ts';
import { deletingRetention, finalChange, retentionNames, type LeftOff } from './topic-settings.ts';
import { TargetWriter } from './writer.ts';

export interface RestorePorts {
  readonly host: Host;
  readonly cluster: Cluster;
  /** Of the brokers, as configured. */
  readonly addresses: string;
  readonly backup: Backup;
  readonly localFolder: string | undefined;
  readonly signal: AbortSignal;
  readonly progress: RestoreProgress;
  /** Shows what will be done, or what goes on. */
  readonly onPlan: (plan: RestorePlan, goesOn: Journal | undefined) => Promise<void>;
  /** Throws where the answer is no. */
  readonly confirm: (plan: RestorePlan) => Promise<void>;
  readonly warn: (message: string) => void;
  /** A restore has its id, and is about to change something. */
  readonly onBegun: (id: string) => Promise<void>;
}

export interface RestoreOptions {
  /** As it was typed, for people. */
  readonly command: string;
  readonly dryRun: boolean;
  readonly isCompared: boolean;
  /** Bytes a second. */
  readonly throttle: number | undefined;
}

/** Undefined after a dry run. */
export async function runRestore(
  request: RestoreRequest,
  options: RestoreOptions,
  ports: RestorePorts,
): Promise<RestoreReport | undefined> {
  return await new Restore(request, options, ports).run();
}

interface Incompleteness {
  readonly reasons: string[];
}

class Restore {
  readonly #request: RestoreRequest;
  readonly #options: RestoreOptions;
  readonly #ports: RestorePorts;
  readonly #beganMs: number;
  readonly #incomplete: Incompleteness = { reasons: [] };
  readonly #lost = new Map<string, { partition: number; from: bigint; to: bigint }[]>();

  constructor(request: RestoreRequest, options: RestoreOptions, ports: RestorePorts) {
    this.#request = request;
    this.#options = options;
    this.#ports = ports;
    this.#beganMs = ports.host.clock.nowMs();
  }

  async run(): Promise<RestoreReport | undefined> {
    const { cluster, host, localFolder, signal } = this.#ports;
    const hash = requestHash(this.#request, cluster.clusterId);
    const local = await readJournals(host, localFolder);
    const known = new Set(local.map(({ id }) => id));
    const journals = [...local, ...(await findJournals(cluster, { known, signal }))];
    const same = journals.filter(
      (journal) => journal.request === hash && journal.cluster === cluster.clusterId,
    );
    const open = same.findLast(({ finishedMs }) => finishedMs === null);
    if (open !== undefined && (await this.#isAlive(open))) return await this.#goOn(open);
    const done = same.findLast(({ finishedMs }) => finishedMs !== null);
    if (done !== undefined && !this.#options.dryRun && (await this.#isUnchanged(done)))
      return { ...this.#reportOf(done.id, [], []), wasThere: true };
    return await this.#begin(hash, journals);
  }

  /** Whether the topics that a journal tells of are still the ones that it was about. */
  async #isAlive(journal: Journal): Promise<boolean> {
    for (const { target, topicId } of journal.topics) {
      if (topicId === null) continue;
      if ((await lookAt(this.#topicPorts(), target))?.topicId !== topicId) return false;
    }
    return true;
  }

  async #isUnchanged(journal: Journal): Promise<boolean> {
    for (const { target, topicId, partitions } of journal.topics) {
      const found = await lookAt(this.#topicPorts(), target);
      if (found === undefined || found.topicId !== topicId) return false;
      const now = await offsetsOf(this.#ports.cluster, found, this.#ports.signal);
      const isSame = partitions.every(
        ({ partition, end }) => now.find((row) => row.partition === partition)?.end === end,
      );
      if (!isSame) return false;
    }
    return true;
  }

  async #begin(hash: string, journals: readonly Journal[]): Promise<RestoreReport | undefined> {
    const { backup, host } = this.#ports;
    const found = await findSources(backup, this.#request);
    await this.#refuseHalfDone(found, journals);
    const sources = this.#mustScan(found) ? await this.#scan(found) : found;
    refuseEmpty(sources);
    const plan = await this.#plan(sources);
    await this.#ports.onPlan(plan, undefined);
    if (this.#options.dryRun) return undefined;
    await this.#ports.confirm(plan);
    const identity = await this.#ports.cluster.producerIdentity({ signal: this.#ports.signal });
    const journal = this.#journalOf(plan, { id: newRestoreId(host), hash, identity });
    await writeJournal(host, this.#ports.localFolder, journal);
    return await this.#carryOut(journal, sources, plan);
  }

  async #goOn(journal: Journal): Promise<RestoreReport | undefined> {
    const sources = await sourcesOf(this.#ports.backup, journal);
    const plan = this.#planOf(journal, sources);
    await this.#ports.onPlan(plan, journal);
    if (this.#options.dryRun) return undefined;
    await this.#ports.confirm(plan);
    // What the target tells of a journal leaves the groups out: they are those of the same snapshots.
    return await this.#carryOut({ ...journal, groups: journalGroups(plan) }, sources, plan);
  }

  /** A topic that another command has begun is nobody else's to touch. */
  async #refuseHalfDone(sources: readonly SourceTopic[], journals: readonly Journal[]): Promise<void> {
    const { cluster } = this.#ports;
    for (const journal of journals) {
      if (journal.finishedMs !== null || journal.cluster !== cluster.clusterId) continue;
      const half = journal.topics.find(
        ({ target, topicId }) => topicId !== null && sources.some((source) => source.target === target),
      );
      if (half === undefined) continue;
      if ((await lookAt(this.#topicPorts(), half.target))?.topicId !== half.topicId) continue;
      throw new VarveError(
        'refused',
        `topic ${half.target} is half restored by another command (restore ${journal.id}): ${journal.command}`,
        {
          hint: 'run that command again: it goes on where it stopped; to begin anew instead, delete the topic first',
        },
      );
    }
  }

  /** What goes away must be readable elsewhere first, and times can only be told by reading. */
  #mustScan(sources: readonly SourceTopic[]): boolean {
    const { fromMs, toMs, mode } = this.#request;
    return sources.length > 0 && (fromMs !== undefined || toMs !== undefined || mode === 'recreate');
  }

  async #scan(sources: readonly SourceTopic[]): Promise<SourceTopic[]> {
    const { progress, signal } = this.#ports;
    progress.phase = 'reading';
    return await scanSources(sources, {
      request: this.#request,
      progress,
      signal,
      onLost: this.#request.salvage ? () => undefined : undefined, // told when it is restored
    });
  }

  async #plan(sources: readonly SourceTopic[]): Promise<RestorePlan> {
    const { cluster, addresses, backup, host, signal } = this.#ports;
    const request = this.#request;
    const facts = await readTargetFacts(
      cluster,
      sources.map(({ target, life }) => ({
        target,
        isRecreated: request.mode === 'recreate',
        partitions: Math.max(
          life.settings?.partitions ?? 1,
          ...life.partitions.map(({ partition }) => partition + 1),
        ),
        replicationFactor: request.replicationFactor ?? life.settings?.replicationFactor ?? -1,
        configs: life.settings?.configs ?? [],
        asked: request.topicConfigs,
      })),
      { addresses, nowMs: host.clock.nowMs(), signal },
    );
    const topics = sources.map((source) => planTopic(source, facts, request));
    const groups = planGroups(backup.groups ?? [], mappedTopics(topics, request), request);
    const active = await this.#activeGroups(groups, topics);
    const isRefused = active.length > 0 && !request.skipActiveGroups;
    if (isRefused) throw activeRefused(active);
    const skipped = new Set(active.map(({ group }) => group));
    const incomplete = [
      ...active.map(({ group }) => `group ${group} is active and was left as it is`),
      ...topics.flatMap(({ target, partitions }) =>
        partitions.some(({ missing }) => missing.length > 0)
          ? [`topic ${target} comes back with offsets missing, as accepted`]
          : [],
      ),
    ];
    return {
      cluster: cluster.clusterId,
      addresses,
      isOwn: topics.every(({ source }) => source.cluster === cluster.clusterId),
      topics,
      groups: groups.filter(({ group }) => !skipped.has(group)),
      warnings: groupWarnings(backup, request),
      incomplete,
    };
  }

  async #activeGroups(groups: readonly GroupPlan[], topics: readonly TopicPlan[]): Promise<ActiveGroup[]> {
    const { cluster, signal } = this.#ports;
    const replaced = topics.filter(({ action }) => action !== 'create').map(({ target }) => target);
    const touches = this.#request.groups !== 'none' || replaced.length > 0;
    if (!touches) return [];
    const names = new Set([...groups.map(({ group }) => group), ...(await cluster.groupNames({ signal }))]);
    const states = await cluster.groupStates([...names], { signal });
    return activeGroups(
      groups,
      states,
      topics.map(({ target }) => target),
    );
  }

  #journalOf(plan: RestorePlan, o: { id: string; hash: string; identity: ProducerIdentity }): Journal {
    const { cluster, backup } = this.#ports;
    return {
      format: 1,
      id: o.id,
      request: o.hash,
      command: this.#options.command,
      startedMs: this.#beganMs,
      finishedMs: null,
      cluster: cluster.clusterId,
      ...o.identity,
      snapshots: [...backup.snapshots],
      topics: plan.topics.map(journalTopic),
      groups: journalGroups(plan),
    };
  }

  /** As far as a journal tells it. */
  #planOf(journal: Journal, sources: readonly SourceTopic[]): RestorePlan {
    const { cluster, addresses, backup } = this.#ports;
    const topics = journal.topics.map((topic): TopicPlan => {
      const source = sources.find(({ target }) => target === topic.target);
      if (source === undefined) throw new Error(`no source for ${topic.target}`);
      return planAgain(topic, source);
    });
    const groups: GroupPlan[] =
      journal.groups.length > 0
        ? journal.groups.map(({ group, to, offsets }) => ({
            group,
            to,
            offsets: offsets.map((row) => ({ ...row, sourceOffset: row.sourceOffset ?? undefined })),
          }))
        : planGroups(backup.groups ?? [], mappedTopics(topics, this.#request), this.#request);
    const isOwn = topics.every(({ source }) => source.cluster === cluster.clusterId);
    return { cluster: cluster.clusterId, addresses, isOwn, topics, groups, warnings: [], incomplete: [] };
  }

  async #carryOut(
    journal: Journal,
    sources: readonly SourceTopic[],
    plan: RestorePlan,
  ): Promise<RestoreReport> {
    const { cluster, host, signal, progress } = this.#ports;
    const { clock } = host;
    await this.#ports.onBegun(journal.id);
    this.#incomplete.reasons.push(...plan.incomplete);
    progress.totalRecords = plan.topics.reduce((sum, { records }) => sum + records.count, 0);
    const book = new JournalBook(journal, this.#ports);
    await using writer = new TargetWriter({
      cluster,
      clock,
      signal,
      throttle: this.#options.throttle,
      onAcked(records, bytes) {
        progress.ackedRecords += records;
        progress.ackedBytes += bytes;
      },
      onIdentity: async (_place, identity) => book.renew(identity),
    });
    progress.phase = 'writing';
    const ends = await mapAtOnce(plan.topics, topicsAtOnce, async (topic) => {
      const source = sources.find(({ target }) => target === topic.target);
      if (source === undefined) throw new Error(`no source for ${topic.target}`);
      return await this.#restoreTopic(topic, { source, book, writer });
    });
    signal.throwIfAborted();
    progress.phase = 'groups';
    const groups = await this.#restoreGroups(plan, ends);
    progress.phase = 'settings';
    for (const end of ends) if (end.problem === undefined) await this.#settleTopic(end, book);
    const failed = ends.filter(({ problem }) => problem !== undefined);
    if (failed.length === 0) await book.finish(clock.nowMs());
    progress.phase = 'done';
    return this.#reportOf(
      journal.id,
      ends.map((end) => this.#topicReport(end)),
      groups,
    );
  }

  async #restoreTopic(
    plan: TopicPlan,
    o: { source: SourceTopic; book: JournalBook; writer: TargetWriter },
  ): Promise<TopicEnd> {
    const { book } = o;
    const end: TopicEnd = { plan, partitions: new Map(), topicId: '', leftOff: [], problem: undefined };
    try {
      const { topicId, leaders, there } = await this.#prepare(plan, book);
      end.topicId = topicId;
      const groupOffsets = wantedOffsets(book.journal, plan.target);
      await mapAtOnce(
        o.source.partitions,
        partitionsAtOnce,
        async ({ partition, copies, plan: { stretches } }) => {
          const row = book.partition(plan.target, partition);
          const place = { topic: plan.target, topicId, partition };
          const { fromMs, toMs } = this.#request;
          const streamed = await restorePartition(
            { copies, stretches, time: { fromMs, toMs }, onLost: this.#onLost(plan, partition) },
            {
              place,
              leaderId: leaders.get(partition) ?? -1,
              start: row.start ?? 0n,
              there: there.get(partition) ?? row.start ?? 0n,
              identity: book.identity,
              groupOffsets: groupOffsets.get(partition) ?? [],
            },
            {
              ...this.#topicPorts(),
              writer: o.writer,
              progress: this.#ports.progress,
              isCompared: this.#options.isCompared,
            },
          );
          end.partitions.set(partition, streamed);
        },
      );
      await this.#assertAlone(end);
    } catch (error) {
      if (this.#ports.signal.aborted) throw error;
      end.problem =
        error instanceof VarveError ? error : new VarveError('failed', messageOf(error), { cause: error });
    }
    return end;
  }

  #onLost(plan: TopicPlan, partition: number): ((lost: Range, problem: VarveError) => void) | undefined {
    if (!this.#request.salvage) return undefined;
    return ({ from, to }, problem) => {
      const rows = this.#lost.get(plan.target) ?? [];
      this.#lost.set(plan.target, rows);
      if (rows.some((row) => row.partition === partition && row.from === from)) return;
      rows.push({ partition, from, to });
      this.#incomplete.reasons.push(
        `${plan.source.topic}/${partition}: offsets ${from} to ${to - 1n}, or some of them, are lost: ${problem.message}`,
      );
    };
  }

  /** The topic as it is to be written into; what was done of it before is not done again. */
  async #prepare(
    plan: TopicPlan,
    book: JournalBook,
  ): Promise<{ topicId: string; leaders: Map<number, number>; there: Map<number, bigint> }> {
    const ports = this.#topicPorts();
    const { target: topic, partitionCount: partitions, replicationFactor, temporary } = plan;
    const before = book.topic(topic);
    const isBegun = before.topicId !== null && before.state !== 'planned';
    const isNew = plan.action === 'create' || plan.action === 'recreate';
    let { topicId } = before;
    if (isNew && !isBegun) {
      if (before.oldId !== null) await deleteTopic(ports, { topic, topicId: before.oldId });
      const minimum = plan.final.filter(([name]) => name === 'min.insync.replicas');
      topicId = await this.#createOrAdopt({
        topic,
        partitions,
        replicationFactor,
        configs: [...temporary, ...minimum],
      });
    } else if (!isBegun) {
      topicId = plan.existing?.topicId ?? null;
      await changeSettings(ports, topic, temporary);
    }
    if (topicId === null) throw new Error(`topic ${topic} has no id`);
    const found = await waitForLeaders(ports, { topic, topicId, partitions, isNew: isNew && !isBegun });
    const offsets = await offsetsOf(ports.cluster, found, ports.signal);
    const there = new Map(offsets.map(({ partition, end }) => [partition, end]));
    if (!isBegun) await book.begin(topic, { topicId, starts: there });
    const leaders = new Map(found.partitions.map(({ partition, leaderId }) => [partition, leaderId]));
    return { topicId, leaders, there };
  }

  /** A topic of this name that is empty and has the temporary settings was made by a run that could not note it. */
  async #createOrAdopt(o: Parameters<typeof createTopic>[1]): Promise<string> {
    const ports = this.#topicPorts();
    const found = await lookAt(ports, o.topic);
    if (found !== undefined) {
      const isOurs = (await foreignSettings(ports, o.topic, o.configs)).length === 0;
      const offsets = isOurs ? await offsetsOf(ports.cluster, found, ports.signal) : [];
      if (isOurs && offsets.every(({ end }) => end === 0n)) return found.topicId;
    }
    return await createTopic(ports, o);
  }

  /** Nobody else has written: each partition ends where this restore does. */
  async #assertAlone({ plan, topicId, partitions }: TopicEnd): Promise<void> {
    const found = await lookAt(this.#topicPorts(), plan.target);
    if (found?.topicId !== topicId)
      throw foreign({ topic: plan.target, topicId, partition: 0 }, 'it was deleted or made anew');
    for (const { partition, end } of await offsetsOf(this.#ports.cluster, found, this.#ports.signal)) {
      const expected = partitions.get(partition)?.end;
      if (expected === undefined || end === expected) continue;
      throw foreign({ topic: plan.target, topicId, partition }, `it ends at ${end}, expected ${expected}`);
    }
  }

  async #restoreGroups(plan: RestorePlan, ends: readonly TopicEnd[]): Promise<GroupReport[]> {
    const { cluster, signal } = this.#ports;
    const byTarget = new Map(ends.map((end) => [end.plan.target, end]));
    const changes = plan.groups.flatMap(({ group, to, offsets }): GroupChange[] => {
      const rows = offsets.flatMap(({ target, partition, sourceOffset, metadata }) => {
        const end = byTarget.get(target);
        const row = end?.problem === undefined ? end?.partitions.get(partition) : undefined;
        if (row === undefined) return [];
        return [
          {
            topic: target,
            partition,
            offset: offsetFor(to, row, sourceOffset),
            metadata: to === 'saved' ? metadata : '',
          },
        ];
      });
      return rows.length === 0 ? [] : [{ group, offsets: rows }];
    });
    if (changes.length === 0) return [];
    const outcomes = await setGroups(cluster, changes, signal);
    return outcomes.map(({ group, offsets, problem }) => {
      if (problem !== undefined) this.#incomplete.reasons.push(`group ${group} was not set: ${problem}`);
      return { group, offsets, problem: problem ?? null };
    });
  }

  /** The topic's own settings, in the very end. */
  async #settleTopic(end: TopicEnd, book: JournalBook): Promise<void> {
    const { plan } = end;
    const ports = this.#topicPorts();
    try {
      const foreignNames = await foreignSettings(ports, plan.target, plan.temporary);
      const isDone = book.topic(plan.target).state === 'restored';
      if (foreignNames.length > 0 && !isDone) {
        throw new VarveError(
          'interrupted',
          `somebody else changed settings of topic ${plan.target} meanwhile: ${foreignNames.join(', ')}`,
          {
            hint: 'find out who did that (an operator of topics?); the records are there, look at the settings by hand',
          },
        );
      }
      await book.restored(
        plan.target,
        new Map([...end.partitions].map(([partition, row]) => [partition, row.end])),
      );
      end.leftOff = this.#request.applyRetention ? [] : this.#deleting(end);
      const { temporary, final } = plan;
      await changeSettings(ports, plan.target, finalChange({ temporary, final, leftOff: end.leftOff }));
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      end.problem = error;
    }
  }

  /** Which retention would delete what is there now. */
  #deleting({ plan, partitions }: TopicEnd): LeftOff[] {
    const counts = [...partitions.values()].map((row) => row.counts);
    const first = counts.flatMap(({ firstMs }) => firstMs ?? []);
    const last = counts.flatMap(({ lastMs }) => lastMs ?? []);
    return deletingRetention({
      effective: new Map(plan.effective),
      firstMs: first.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined),
      lastMs: last.reduce<bigint | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined),
      bytes: Math.max(0, ...counts.map(({ bytes }) => bytes)),
      nowMs: this.#ports.host.clock.nowMs(),
    });
  }

  #topicReport({ plan, partitions, topicId, problem, leftOff }: TopicEnd): TopicReport {
    const rows = [...partitions].toSorted(([a], [b]) => a - b);
    const counts = rows.map(([, { counts: one }]) => one);
    const sum = (of: (one: (typeof counts)[number]) => number): number =>
      counts.reduce((total, one) => total + of(one), 0);
    const times = (of: (one: (typeof counts)[number]) => bigint | undefined): bigint[] =>
      counts.flatMap((one) => of(one) ?? []);
    return {
      topic: plan.source.topic,
      target: plan.target,
      topicId,
      records: sum(({ records }) => records),
      bytes: sum(({ bytes }) => bytes),
      reencoded: sum(({ reencoded }) => reencoded),
      notRestored: { before: sum(({ before }) => before), behind: sum(({ behind }) => behind) },
      firstMs: times(({ firstMs }) => firstMs).reduce<bigint | null>(
        (a, b) => (a === null || b < a ? b : a),
        null,
      ),
      lastMs: times(({ lastMs }) => lastMs).reduce<bigint | null>(
        (a, b) => (a === null || b > a ? b : a),
        null,
      ),
      partitions: rows.map(([partition, { counts: one, start, end, content }]) => ({
        partition,
        records: one.records,
        start,
        end,
        content,
        compared: content !== null,
      })),
      leftOff: [...plan.leftOff.filter(({ name }) => !retentionNames.has(name)), ...leftOff],
      lost: this.#lost.get(plan.target) ?? [],
      problem: problem?.message ?? null,
    };
  }

  #reportOf(id: string, topics: readonly TopicReport[], groups: readonly GroupReport[]): RestoreReport {
    const { cluster, host } = this.#ports;
    return {
      id,
      cluster: cluster.clusterId,
      wasThere: false,
      topics,
      groups,
      incomplete: [...this.#incomplete.reasons],
      tookMs: host.clock.nowMs() - this.#beganMs,
    };
  }

  #topicPorts(): { cluster: Cluster; clock: Host['clock']; signal: AbortSignal } {
    const { cluster, host, signal } = this.#ports;
    return { cluster, clock: host.clock, signal };
  }
}

const topicsAtOnce = 4;
const partitionsAtOnce = 6;

interface TopicEnd {
  readonly plan: TopicPlan;
  readonly partitions: Map<number, StreamEnd>;
  topicId: string;
  leftOff: readonly LeftOff[];
  problem: VarveError | undefined;
}

/** The journal as it stands, each change on disk and in the target before what it tells of goes on. */
class JournalBook {
  journal: Journal;
  readonly #ports: RestorePorts;
  #writing: Promise<void> = Promise.resolve();

  constructor(journal: Journal, ports: RestorePorts) {
    this.journal = journal;
    this.#ports = ports;
  }

  get identity(): ProducerIdentity {
    const { producerId, producerEpoch } = this.journal;
    return { producerId, producerEpoch };
  }

  topic(target: string): JournalTopic {
    const found = this.journal.topics.find((topic) => topic.target === target);
    if (found === undefined) throw new Error(`the journal knows no topic ${target}`);
    return found;
  }

  partition(target: string, partition: number): JournalTopic['partitions'][number] {
    const found = this.topic(target).partitions.find((row) => row.partition === partition);
    if (found === undefined) throw new Error(`the journal knows no partition ${partition} of ${target}`);
    return found;
  }

  async begin(target: string, o: { topicId: string; starts: ReadonlyMap<number, bigint> }): Promise<void> {
    const { topicId, starts } = o;
    await this.#change(target, (topic) => ({
      ...topic,
      topicId,
      state: 'writing',
      partitions: topic.partitions.map((row) => ({ ...row, start: starts.get(row.partition) ?? 0n })),
    }));
  }

  async restored(target: string, ends: ReadonlyMap<number, bigint>): Promise<void> {
    await this.#change(target, (topic) => ({
      ...topic,
      state: 'restored',
      partitions: topic.partitions.map((row) => ({ ...row, end: ends.get(row.partition) ?? row.start })),
    }));
  }

  async renew(identity: ProducerIdentity): Promise<void> {
    await this.#save({ ...this.journal, ...identity }, []);
  }

  async finish(nowMs: number): Promise<void> {
    await this.#save(
      { ...this.journal, finishedMs: nowMs },
      this.journal.topics.map(({ target }) => target),
    );
  }

  async #change(target: string, change: (topic: JournalTopic) => JournalTopic): Promise<void> {
    const topics = this.journal.topics.map((topic) => (topic.target === target ? change(topic) : topic));
    await this.#save({ ...this.journal, topics }, [target]);
  }

  async #save(journal: Journal, targets: readonly string[]): Promise<void> {
    this.journal = journal;
    const { host, localFolder, cluster, signal } = this.#ports;
    this.#writing = this.#writing.then(async () => {
      await writeJournal(host, localFolder, this.journal);
      for (const target of targets)
        await commitJournal(cluster, this.journal, { topic: this.topic(target), signal });
    });
    await this.#writing;
  }
}

function journalGroups({ groups }: RestorePlan): Journal['groups'] {
  return groups.map(({ group, to, offsets }) => ({
    group,
    to,
    offsets: offsets.map((row) => ({ ...row, sourceOffset: row.sourceOffset ?? null })),
  }));
}

function journalTopic(plan: TopicPlan): JournalTopic {
  return {
    source: plan.source.topic,
    sourceId: plan.source.topicId,
    target: plan.target,
    action: plan.action,
    oldId: plan.action === 'recreate' ? (plan.existing?.topicId ?? null) : null,
    topicId: plan.action === 'append' || plan.action === 'fill' ? (plan.existing?.topicId ?? null) : null,
    partitionCount: plan.partitionCount,
    replicationFactor: plan.replicationFactor,
    temporary: plan.temporary.map(([name, value]) => [name, value]),
    final: plan.final.map(([name, value]) => [name, value]),
    effective: plan.effective.map(([name, value]) => [name, value]),
    state: 'planned',
    partitions: plan.partitions.map(({ partition, ranges }) => ({
      partition,
      start: null,
      ranges: ranges.map(({ from, to }) => ({ from, to })),
      end: null,
    })),
  };
}

function planAgain(topic: JournalTopic, { life, others, partitions }: SourceTopic): TopicPlan {
  const head = ({ topic: name, topicId, cluster, firstSeen }: typeof life): TopicPlan['source'] => ({
    topic: name,
    topicId,
    cluster,
    firstSeen,
  });
  const records = topic.partitions
    .flatMap(({ ranges }) => ranges)
    .reduce((sum, { from, to }) => sum + Number(to - from), 0);
  const { action, target, partitionCount, replicationFactor, temporary, final, effective } = topic;
  return {
    source: head(life),
    others: others.map(head),
    target,
    action,
    existing: topic.topicId === null ? undefined : { topicId: topic.topicId, partitions: [], configs: [] },
    unsaved: 0n,
    partitionCount,
    replicationFactor,
    temporary,
    final,
    effective,
    leftOff: [],
    partitions: partitions.map(({ partition, plan }) => ({
      partition,
      ranges: plan.stretches.map(({ from, to }) => ({ from, to })),
      missing: [],
      gaps: plan.gaps,
      recordsMax: plan.stretches.reduce((sum, { from, to }) => sum + Number(to - from), 0),
    })),
    records: { count: records, isExact: false },
    firstMs: undefined,
    lastMs: undefined,
    notRestored: { before: 0, behind: 0 },
    warnings: [],
  };
}

function mappedTopics(
  topics: readonly TopicPlan[],
  { mode }: RestoreRequest,
): Parameters<typeof planGroups>[1] {
  return topics.map(({ source: { topic }, target, partitions }) => ({
    topic,
    target,
    partitions: partitions.map(({ partition }) => partition),
    byDefault: topic === target && mode !== 'append',
  }));
}

function groupWarnings(backup: Backup, { groups }: RestoreRequest): string[] {
  if (groups === 'none') return [];
  if (backup.groups === undefined) return ['no snapshot at hand has the offsets of groups: none is set'];
  return [
    'share groups, and consumers that assign partitions to themselves, cannot be seen and are not looked after',
  ];
}

function activeRefused(active: readonly ActiveGroup[]): VarveError {
  const named = active.map(({ group, state, members }) => {
    const who = members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ');
    return `${group} (${state}; ${who})`;
  });
  return new VarveError('refused', `groups are active: ${named.join('; ')}`, {
    hint: 'stop their consumers, then run the command again; --skip-active-groups leaves them as they are and ends with 3; --no-groups touches none',
  });
}

function wantedOffsets({ groups }: Journal, target: string): Map<number, bigint[]> {
  const wanted = new Map<number, bigint[]>();
  for (const { offsets } of groups)
    for (const row of offsets) {
      if (row.target !== target || row.sourceOffset === null) continue;
      const known = wanted.get(row.partition);
      if (known === undefined) wanted.set(row.partition, [row.sourceOffset]);
      else known.push(row.sourceOffset);
    }
  return wanted;
}

function offsetFor(to: GroupPlan['to'], row: StreamEnd, sourceOffset: bigint | undefined): bigint {
  if (to === 'earliest') return row.start;
  if (to === 'latest' || sourceOffset === undefined) return row.end;
  return row.start + BigInt(row.ranks.rankOf(sourceOffset, row.counts.records));
}

/** At most so many at once, in order; the first failure ends it once those that run have ended. */
async function mapAtOnce<T, R>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let at = 0;
  let failure: { error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (let index = at; index < items.length && failure === undefined; index = at) {
      at += 1;
      const item = items[index];
      if (item === undefined) continue;
      try {
        results[index] = await run(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  if (failure !== undefined) throw failure.error;
  return results;
}
