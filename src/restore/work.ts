/** Carrying out a plan: topics made, filled, compared and settled, groups set; each step noted before the next. */
import { messageOf, VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import { mapAtOnce } from './at-once.ts';
import type { Range } from './backup.ts';
import { JournalBook } from './book.ts';
import { emptyTopic } from './emptying.ts';
import { groupChanges, wantedOffsets } from './group-ends.ts';
import { setGroups } from './group-work.ts';
import type { Journal } from './journal.ts';
import { foreign, ForeignWriter, type PartitionPlace } from './partition-writer.ts';
import { surely } from './patience.ts';
import type { RestorePlan, SourceTopic, TopicPlan } from './plan.ts';
import type { RestoreProgress } from './progress.ts';
import { Readers } from './readers.ts';
import type { GroupReport, RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import { spreadTopic } from './spread.ts';
import { partitionPlaces, placesOf, Room } from './room.ts';
import { restorePartition } from './stream.ts';
import {
  changeSettings,
  createTopic,
  deleteTopic,
  foreignSettings,
  lookInto,
  waitForLeaders,
} from './target-topic.ts';
import { topicReport, type TopicEnd } from './topic-report.ts';
import { deletingRetention, finalChange, type LeftOff } from './topic-settings.ts';
import { TargetWriter } from './writer.ts';

export interface WorkPorts {
  readonly host: Host;
  readonly cluster: Cluster;
  readonly localFolder: string | undefined;
  readonly signal: AbortSignal;
  readonly progress: RestoreProgress;
}

export interface WorkOptions {
  readonly isCompared: boolean;
  /** Bytes a second. */
  readonly throttle: number | undefined;
}

interface TopicTools {
  readonly source: SourceTopic;
  readonly book: JournalBook;
  readonly writer: TargetWriter;
  readonly readers: Readers;
}

const topicsAtOnce = 4;

export class Work {
  readonly #request: RestoreRequest;
  readonly #options: WorkOptions;
  readonly #ports: WorkPorts;
  readonly #room = new Room(partitionPlaces);
  readonly #incomplete: string[] = [];
  readonly #lost = new Map<string, { partition: number; from: bigint; to: bigint }[]>();

  constructor(request: RestoreRequest, options: WorkOptions, ports: WorkPorts) {
    this.#request = request;
    this.#options = options;
    this.#ports = ports;
  }

  async carryOut(
    journal: Journal,
    sources: readonly SourceTopic[],
    plan: RestorePlan,
  ): Promise<Omit<RestoreReport, 'tookMs'>> {
    const { cluster, host, signal, progress } = this.#ports;
    const { clock } = host;
    this.#incomplete.push(...plan.incomplete);
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
      onIdentity: async ({ topic, partition }, identity) => book.renew(topic, partition, identity),
    });
    await using readers = new Readers(cluster);
    progress.phase = 'writing';
    const ends = await mapAtOnce(plan.topics, topicsAtOnce, async (topic) => {
      const source = sources.find(({ target }) => target === topic.target);
      if (source === undefined) throw new Error(`no source for ${topic.target}`);
      return await this.#restoreTopic(topic, { source, book, writer, readers });
    });
    signal.throwIfAborted();
    progress.phase = 'groups';
    const groups = await this.#restoreGroups(plan, ends);
    progress.phase = 'settings';
    for (const end of ends) if (end.problem === undefined) await this.#settleTopic(end, book);
    const failed = ends.filter(({ problem }) => problem !== undefined);
    if (failed.length === 0) await book.finish(clock.nowMs(), leftAsTheyWere(groups));
    progress.phase = 'done';
    return {
      id: journal.id,
      cluster: cluster.clusterId,
      wasThere: false,
      topics: ends.map((end) => topicReport(end, this.#lost.get(end.plan.target) ?? [])),
      groups,
      incomplete: this.#incomplete,
    };
  }

  async #restoreTopic(plan: TopicPlan, o: TopicTools): Promise<TopicEnd> {
    const { book } = o;
    const end: TopicEnd = { plan, partitions: new Map(), topicId: '', leftOff: [], problem: undefined };
    try {
      const { topicId, leaders, there } = await this.#prepare(plan, book);
      end.topicId = topicId;
      const prepared = { topicId, leaders, there };
      if (plan.isRepartitioned) await this.#spread(plan, { ...o, ...prepared, end });
      const groupOffsets = wantedOffsets(book.journal, plan.target);
      await this.#room.each(
        plan.isRepartitioned ? [] : o.source.partitions,
        ({ plan: { stretches } }) => placesOf(stretches),
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
              identity: book.identityOf(plan.target, partition),
              isOurs: (id) => book.isOurs(plan.target, partition, id),
              groupOffsets: groupOffsets.get(partition) ?? [],
            },
            {
              ...this.#topicPorts(),
              writer: o.writer,
              readers: o.readers,
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
      if (plan.action === 'empty' && error instanceof ForeignWriter) {
        await book.giveUp(plan.target);
        end.problem = mixed(error, plan.target);
      } else
        end.problem =
          error instanceof VarveError ? error : new VarveError('failed', messageOf(error), { cause: error });
    }
    return end;
  }

  /** All partitions together: each record may belong into any of them. */
  async #spread(
    plan: TopicPlan,
    o: TopicTools & {
      topicId: string;
      leaders: ReadonlyMap<number, number>;
      there: ReadonlyMap<number, bigint>;
      end: TopicEnd;
    },
  ): Promise<void> {
    const { fromMs, toMs } = this.#request;
    const sources = o.source.partitions.map(({ partition, copies, plan: { stretches } }) => ({
      copies,
      stretches,
      time: { fromMs, toMs },
      onLost: this.#onLost(plan, partition),
    }));
    const rows = o.book.topic(plan.target).partitions;
    const places = rows.map(({ partition, start }) => ({
      place: { topic: plan.target, topicId: o.topicId, partition },
      identity: o.book.identityOf(plan.target, partition),
      isOurs: (id: bigint) => o.book.isOurs(plan.target, partition, id),
      leaderId: o.leaders.get(partition) ?? -1,
      start: start ?? 0n,
      there: o.there.get(partition) ?? start ?? 0n,
    }));
    const ends = await spreadTopic(sources, places, {
      ...this.#topicPorts(),
      writer: o.writer,
      readers: o.readers,
      progress: this.#ports.progress,
      isCompared: this.#options.isCompared,
    });
    for (const [index, { partition }] of rows.entries()) {
      const row = ends[index];
      if (row !== undefined) o.end.partitions.set(partition, row);
    }
  }

  #onLost(plan: TopicPlan, partition: number): ((lost: Range, problem: VarveError) => void) | undefined {
    if (!this.#request.salvage) return undefined;
    return ({ from, to }, problem) => {
      const rows = this.#lost.get(plan.target) ?? [];
      this.#lost.set(plan.target, rows);
      if (rows.some((row) => row.partition === partition && row.from === from)) return;
      rows.push({ partition, from, to });
      this.#incomplete.push(
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
      topicId = await createTopic(ports, {
        topic,
        partitions,
        replicationFactor,
        configs: [...temporary, ...minimum],
        oldId: before.oldId,
      });
    } else if (!isBegun) {
      topicId = plan.existing?.topicId ?? null;
      if (plan.action === 'empty' && topicId !== null)
        await emptyTopic(ports, { topic, topicId, ends: plan.emptied, temporary });
      else await changeSettings(ports, topic, temporary);
    }
    if (topicId === null) throw new Error(`topic ${topic} has no id`);
    const found = await waitForLeaders(ports, { topic, topicId, partitions, isNew: isNew && !isBegun });
    const life = { topic, topicId };
    const offsets = await surely(
      async () => lookInto(ports, life),
      (answer) => answer !== undefined,
      ports,
    );
    if (offsets === undefined) throw madeAnew({ ...life, partition: 0 });
    const there = new Map(offsets.map(({ partition, end }) => [partition, end]));
    if (isBegun) await book.again(topic);
    else await book.begin(topic, { topicId, starts: new Map([...there, ...plan.emptied]) });
    const leaders = new Map(found.partitions.map(({ partition, leaderId }) => [partition, leaderId]));
    return { topicId, leaders, there };
  }

  /** Nobody else has written: each partition ends where this restore does. */
  async #assertAlone({ plan, topicId, partitions }: TopicEnd): Promise<void> {
    const ports = this.#topicPorts();
    const stranger = await surely(
      async () => {
        const place = { topic: plan.target, topicId, partition: 0 };
        const offsets = await lookInto(ports, place);
        if (offsets === undefined) return madeAnew(place);
        for (const { partition, end } of offsets) {
          const expected = partitions.get(partition)?.end ?? plan.emptied.get(partition);
          if (expected === undefined || end === expected) continue;
          const other = foreign({ ...place, partition }, `it ends at ${end}, expected ${expected}`);
          // Nobody who lags behind tells of more than there is.
          if (end > expected) throw other;
          return other;
        }
        return undefined;
      },
      (answer) => answer === undefined,
      ports,
    );
    if (stranger !== undefined) throw stranger;
  }

  async #restoreGroups(plan: RestorePlan, ends: readonly TopicEnd[]): Promise<GroupReport[]> {
    const { cluster, signal } = this.#ports;
    const changes = groupChanges(plan.groups, ends);
    if (changes.length === 0) return [];
    const outcomes = await setGroups(cluster, changes, { clock: this.#ports.host.clock, signal });
    const passing = outcomes.find(({ mayPass }) => mayPass);
    if (passing !== undefined)
      throw new VarveError('interrupted', `group ${passing.group} was not set: ${passing.problem}`, {
        hint: 'look at the brokers, then run the same command again: the records are there, and it goes on with the groups',
      });
    return outcomes.map(({ group, offsets, problem }) => {
      if (problem !== undefined) this.#incomplete.push(`group ${group} was not set: ${problem}`);
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

  #topicPorts(): { cluster: Cluster; clock: Host['clock']; signal: AbortSignal } {
    const { cluster, host, signal } = this.#ports;
    return { cluster, clock: host.clock, signal };
  }
}

function madeAnew(place: PartitionPlace): ForeignWriter {
  return foreign(place, 'it was deleted or made anew');
}

/** Where nothing was set, nothing is to be put back. */
function leftAsTheyWere(groups: readonly GroupReport[]): Set<string> {
  return new Set(groups.flatMap(({ group, problem }) => (problem === null ? [] : [group])));
}

function mixed({ message }: VarveError, topic: string): VarveError {
  return new VarveError('interrupted', message, {
    hint: `stop the producers of ${topic} and save what they wrote with varve backup, then run the same command again: it empties the topic once more`,
  });
}
