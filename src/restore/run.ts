import { steadyMs, type Host } from '../host/host.ts';
import type { Cluster, ProducerIdentity } from '../kafka/kafka.ts';
import type { Backup } from './backup.ts';
import { findEarlier, refuseHalfDone } from './earlier.ts';
import { withEachOnce } from './emptied.ts';
import { activeGroups, activeRefused, planGroups, type ActiveGroup, type GroupPlan } from './group-plan.ts';
import { groupsBefore } from './groups-before.ts';
import { newRestoreId, writeJournal, type Journal } from './journal.ts';
import { journalGroups, journalTopic, planAgain } from './journal-rows.ts';
import { patiently } from './patience.ts';
import { pinAnew } from './pin-anew.ts';
import { partitionCountOf, planTopic, type RestorePlan, type SourceTopic, type TopicPlan } from './plan.ts';
import type { RestoreReport } from './report.ts';
import { requestHash, type RestoreRequest } from './request.ts';
import {
  findSources,
  lostRefused,
  lostTopics,
  refuseEmpty,
  scanSources,
  sourcesOf,
  type Claimed,
} from './sources.ts';
import { groupsOfTarget, readTargetFacts } from './target-facts.ts';
import { Work, type WorkOptions, type WorkPorts } from './work.ts';

export interface RestorePorts extends WorkPorts {
  /** Of the brokers, as configured. */
  readonly addresses: string;
  readonly backup: Backup;
  readonly claimed: Claimed;
  /** Shows what will be done, or what goes on. */
  readonly onPlan: (plan: RestorePlan, goesOn: Journal | undefined) => Promise<void>;
  /** Throws where the answer is no. */
  readonly confirm: (plan: RestorePlan) => Promise<void>;
  readonly warn: (message: string) => void;
  /** A restore has its id, and is about to change something. */
  readonly onBegun: (id: string) => Promise<void>;
}

export interface RestoreOptions extends WorkOptions {
  /** As it was typed, for people. */
  readonly command: string;
  readonly dryRun: boolean;
}

/** Undefined after a dry run. */
export async function runRestore(
  request: RestoreRequest,
  options: RestoreOptions,
  ports: RestorePorts,
): Promise<RestoreReport | undefined> {
  return await new Restore(request, options, ports).run();
}

class Restore {
  readonly #request: RestoreRequest;
  readonly #options: RestoreOptions;
  readonly #ports: RestorePorts;
  readonly #beganMs: number;

  constructor(request: RestoreRequest, options: RestoreOptions, ports: RestorePorts) {
    this.#request = request;
    this.#options = options;
    this.#ports = ports;
    this.#beganMs = steadyMs(ports.host.clock);
  }

  async run(): Promise<RestoreReport | undefined> {
    const hash = requestHash(this.#request, this.#ports.cluster.clusterId);
    const { open, done, journals } = await findEarlier(hash, this.#ports);
    if (open !== undefined) return await this.#goOn(open);
    if (done !== undefined && !this.#options.dryRun) return this.#wasThere(done.id);
    return await this.#begin(hash, journals);
  }

  async #begin(hash: string, journals: readonly Journal[]): Promise<RestoreReport | undefined> {
    const { backup, host } = this.#ports;
    const all = await findSources(backup, this.#request, this.#ports.claimed);
    await refuseHalfDone(all, journals, this.#ports);
    const { sources: found, notes } = withEachOnce(all, journals);
    const lost = await lostTopics(backup, this.#request, this.#ports.claimed);
    if (lost.length > 0 && !this.#request.acceptMissing) throw lostRefused(lost);
    const sources = this.#mustScan(found) ? await this.#scan(found) : found;
    refuseEmpty(sources);
    const planned = await this.#plan(sources);
    const reasons = lost.map((topic) => `topic ${topic} was backed up, and no source at hand has it`);
    const plan = {
      ...planned,
      warnings: [...planned.warnings, ...notes],
      incomplete: [...planned.incomplete, ...reasons],
    };
    await this.#ports.onPlan(plan, undefined);
    if (this.#options.dryRun) return undefined;
    await this.#ports.confirm(plan);
    // The answer may have taken its time.
    await this.#activeOrRefused(plan.groups, plan.topics);
    const identity = await this.#ports.cluster.producerIdentity({ signal: this.#ports.signal });
    const ports = this.#topicPorts();
    const before = await patiently(async () => groupsBefore(plan, ports), ports);
    const journal = this.#journalOf(plan, { id: newRestoreId(host), hash, identity, before });
    await writeJournal(host, this.#ports.localFolder, journal);
    return await this.#carryOut(journal, sources, plan);
  }

  async #goOn(begun: Journal): Promise<RestoreReport | undefined> {
    const { backup } = this.#ports;
    const journal = await pinAnew(begun, { ports: this.#topicPorts(), backup, request: this.#request });
    const sources = await sourcesOf(this.#ports.backup, journal);
    const plan = this.#planOf(journal, sources);
    await this.#ports.onPlan(plan, journal);
    if (this.#options.dryRun) return undefined;
    await this.#ports.confirm(plan);
    // What the target tells of a journal leaves the groups out: they are those of the same snapshots.
    return await this.#carryOut({ ...journal, groups: journalGroups(plan) }, sources, plan);
  }

  /** What goes away must be readable elsewhere first, and times can only be told by reading. */
  #mustScan(sources: readonly SourceTopic[]): boolean {
    const { fromMs, toMs, mode } = this.#request;
    return (
      sources.length > 0 &&
      (fromMs !== undefined || toMs !== undefined || mode === 'recreate' || mode === 'empty')
    );
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
    const { cluster, addresses, backup } = this.#ports;
    const request = this.#request;
    const facts = await readTargetFacts(
      this.#topicPorts(),
      sources.map(({ target, life }) => ({
        target,
        isRecreated: request.mode === 'recreate',
        partitions: typeof request.repartition === 'number' ? request.repartition : partitionCountOf(life),
        replicationFactor: request.replicationFactor ?? life.settings?.replicationFactor ?? -1,
        configs: life.settings?.configs ?? [],
        asked: request.topicConfigs,
      })),
      { addresses },
    );
    const topics = sources.map((source) => planTopic(source, facts, request));
    const groups = planGroups(backup.groups ?? [], mappedTopics(topics, request), request);
    const active = await this.#activeOrRefused(groups, topics);
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
      warnings: groupWarnings(backup, topics, request),
      incomplete,
    };
  }

  /** The groups that are left as they are because they are active, where that was asked for. */
  async #activeOrRefused(groups: readonly GroupPlan[], topics: readonly TopicPlan[]): Promise<ActiveGroup[]> {
    const active = await this.#activeGroups(groups, topics);
    // Members at a topic that is there are in the way whether their group is set or not.
    const hint = topics.some(isReplaced) ? '' : '; --no-groups touches none';
    if (active.length > 0 && !this.#request.skipActiveGroups) throw activeRefused(active, hint);
    return active;
  }

  async #activeGroups(groups: readonly GroupPlan[], topics: readonly TopicPlan[]): Promise<ActiveGroup[]> {
    const touches = this.#request.groups !== 'none' || topics.some(isReplaced);
    if (!touches) return [];
    const planned = groups.map(({ group }) => group);
    const targets = topics.map(({ target }) => target);
    return activeGroups(groups, await groupsOfTarget(planned, this.#topicPorts()), targets);
  }

  #journalOf(
    plan: RestorePlan,
    o: { id: string; hash: string; identity: ProducerIdentity; before: Journal['before'] },
  ): Journal {
    const { cluster, backup } = this.#ports;
    return {
      format: 1,
      id: o.id,
      request: o.hash,
      command: this.#options.command,
      startedMs: this.#ports.host.clock.nowMs(),
      finishedMs: null,
      cluster: cluster.clusterId,
      ...o.identity,
      snapshots: [...backup.snapshots],
      incomplete: [...plan.incomplete],
      topics: plan.topics.map(journalTopic),
      groups: journalGroups(plan),
      before: o.before,
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
    const { incomplete } = journal;
    return { cluster: cluster.clusterId, addresses, isOwn, topics, groups, warnings: [], incomplete };
  }

  async #carryOut(
    journal: Journal,
    sources: readonly SourceTopic[],
    plan: RestorePlan,
  ): Promise<RestoreReport> {
    await this.#ports.onBegun(journal.id);
    const report = await new Work(this.#request, this.#options, this.#ports).carryOut(journal, sources, plan);
    return { ...report, tookMs: this.#elapsedMs };
  }

  #wasThere(id: string): RestoreReport {
    const cluster = this.#ports.cluster.clusterId;
    return { id, cluster, wasThere: true, topics: [], groups: [], incomplete: [], tookMs: this.#elapsedMs };
  }

  get #elapsedMs(): number {
    return steadyMs(this.#ports.host.clock) - this.#beganMs;
  }

  #topicPorts(): { cluster: Cluster; clock: Host['clock']; signal: AbortSignal } {
    const { cluster, host, signal } = this.#ports;
    return { cluster, clock: host.clock, signal };
  }
}

function isReplaced({ action }: TopicPlan): boolean {
  return action !== 'create';
}

function mappedTopics(
  topics: readonly TopicPlan[],
  { mode }: RestoreRequest,
): Parameters<typeof planGroups>[1] {
  return topics.map(({ source: { topic }, target, partitions, partitionCount, isRepartitioned }) => ({
    topic,
    target,
    partitions: isRepartitioned
      ? Array.from({ length: partitionCount }, (_, partition) => partition)
      : partitions.map(({ partition }) => partition),
    isRepartitioned,
    byDefault: topic === target && mode !== 'append',
  }));
}

function groupWarnings(
  backup: Backup,
  topics: readonly TopicPlan[],
  { groups, groupsTo }: RestoreRequest,
): string[] {
  const spread = topics.filter(({ isRepartitioned }) => isRepartitioned).map(({ target }) => target);
  const untranslated =
    spread.length === 0 || groupsTo !== 'saved'
      ? []
      : [
          `offsets of groups mean nothing in another number of partitions: none is set on ${spread.join(', ')}; --groups-to earliest or latest sets them`,
        ];
  return [...untranslated, ...otherGroupWarnings(backup, groups)];
}

function otherGroupWarnings(backup: Backup, groups: RestoreRequest['groups']): string[] {
  if (groups === 'none') return [];
  if (backup.groups === undefined) return ['no snapshot at hand has the offsets of groups: none is set'];
  return [
    'share groups, and consumers that assign partitions to themselves, cannot be seen and are not looked after',
  ];
}
