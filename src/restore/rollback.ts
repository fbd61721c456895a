/** Putting groups back where they stood before a restore: as its journal has it, as far as the topics still have it. */
import { VarveError } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import type { Cluster, CommittedOffset, GroupState } from '../kafka/kafka.ts';
import { activeGroups, activeRefused, refuseUnseen, type ActiveGroup } from './group-plan.ts';
import { setGroups, type GroupOutcome } from './group-work.ts';
import type { Journal } from './journal.ts';
import { patiently } from './patience.ts';
import type { ExistingTopic } from './plan.ts';
import { offsetsOf } from './target-facts.ts';
import { lookAt, type TopicPorts } from './target-topic.ts';

export interface RollbackRow {
  readonly topic: string;
  readonly partition: number;
  /** Null: none. */
  readonly now: bigint | null;
  readonly back: bigint | null;
  readonly metadata: string;
  readonly leaderEpoch: number;
}

export interface RollbackPlan {
  readonly groups: readonly { readonly group: string; readonly offsets: readonly RollbackRow[] }[];
  /** Offsets that are as they were, or have nothing to stand on any more and are gone. */
  readonly unchanged: number;
  /** Left as they are. */
  readonly active: readonly ActiveGroup[];
  readonly notes: readonly string[];
}

export interface RollbackFacts {
  readonly topics: ReadonlyMap<string, Pick<ExistingTopic, 'topicId' | 'partitions'>>;
  readonly committed: ReadonlyMap<string, readonly CommittedOffset[]>;
  readonly states: readonly GroupState[];
}

interface Wanted {
  /** Undefined: all that the restore touched. */
  readonly groups: readonly string[] | undefined;
  readonly skipActiveGroups: boolean;
}

type Before = NonNullable<Journal['before']>;

/** Reads what a plan needs, again while leaders and coordinators change, and changes nothing. */
export async function planRollbackOf(
  journal: Journal,
  wanted: Wanted,
  ports: TopicPorts,
): Promise<RollbackPlan> {
  return await patiently(
    async () => planRollback(journal, await readFacts(beforeOf(journal, wanted.groups), ports), wanted),
    ports,
  );
}

async function readFacts(before: Before, ports: TopicPorts): Promise<RollbackFacts> {
  const { cluster, signal } = ports;
  const topics = new Map<string, Pick<ExistingTopic, 'topicId' | 'partitions'>>();
  for (const topic of new Set(before.flatMap(({ offsets }) => offsets.map((row) => row.topic)))) {
    const found = await lookAt(ports, topic);
    if (found === undefined) continue;
    topics.set(topic, { topicId: found.topicId, partitions: await offsetsOf(cluster, found, signal) });
  }
  const names = before.map(({ group }) => group);
  const there = new Set(await cluster.groupNames({ signal }));
  const committed = new Map<string, readonly CommittedOffset[]>();
  for (const group of names)
    committed.set(group, there.has(group) ? await cluster.committedOffsets(group, { signal }) : []);
  const states = await cluster.groupStates(
    names.filter((group) => there.has(group)),
    { signal },
  );
  return { topics, committed, states };
}

/** Pure. Throws what is in the way: groups that are active, offsets that stand nowhere. */
export function planRollback(journal: Journal, facts: RollbackFacts, wanted: Wanted): RollbackPlan {
  const before = beforeOf(journal, wanted.groups);
  const { topics, committed, states } = facts;
  const changed = before.map(({ group, offsets }) => {
    const rows = offsets.map((row): RollbackRow & { was: string } => {
      const is = committed.get(group)?.find((one) => isSamePlace(one, row));
      const epoch = lifeOf(journal, row.topic) === topics.get(row.topic)?.topicId ? row.leaderEpoch : -1;
      const { topic, partition, metadata } = row;
      const now = is?.offset ?? null;
      return {
        topic,
        partition,
        now,
        back: row.offset,
        metadata,
        leaderEpoch: epoch,
        was: is?.metadata ?? '',
      };
    });
    const others = rows.filter(({ now, back, metadata, was }) => now !== back || metadata !== was);
    return { group, offsets: others.map(({ was: _was, ...row }) => row) };
  });
  const touched = changed.filter(({ offsets }) => offsets.length > 0);
  refuseUnseen(
    touched.map(({ group }) => group),
    states,
  );
  const active = activeGroups(
    touched.map(({ group }) => ({ group, offsets: [], to: 'saved' })),
    states,
    [],
  );
  if (active.length > 0 && !wanted.skipActiveGroups) throw activeRefused(active);
  const groups = touched.filter(({ group }) => !active.some((row) => row.group === group));
  refuseMisfits(groups, topics);
  const all = before.reduce((sum, { offsets }) => sum + offsets.length, 0);
  const unchanged = all - changed.reduce((sum, { offsets }) => sum + offsets.length, 0);
  return { groups, unchanged, active, notes: notesOf(journal, { groups, topics }) };
}

/** Each group's end; `problem` says why it was left as it was. */
export async function rollBack(
  { groups }: RollbackPlan,
  { cluster, clock, signal }: { cluster: Cluster; clock: Clock; signal: AbortSignal },
): Promise<GroupOutcome[]> {
  const changes = groups.map(({ group, offsets }) => ({
    group,
    offsets: offsets.flatMap(({ back, topic, partition, metadata, leaderEpoch }) =>
      back === null ? [] : [{ topic, partition, offset: back, metadata, leaderEpoch }],
    ),
    without: offsets.filter(({ back }) => back === null),
  }));
  return await setGroups(cluster, changes, { clock, signal });
}

function beforeOf({ id, before }: Journal, groups: Wanted['groups']): Before {
  if (before === undefined)
    throw new VarveError('refused', `where groups stood before restore ${id} was not noted here`, {
      hint: 'a restore that lost its local folder, or was begun by an older version, cannot be rolled back; set its groups with kafka-consumer-groups.sh',
    });
  if (before.length === 0)
    throw new VarveError('nothing-selected', `restore ${id} touched no offset of a group`, {
      hint: 'varve restores list shows which restore can be rolled back: give its id',
    });
  const unknown = groups?.find((name) => !before.some(({ group }) => group === name));
  if (unknown !== undefined)
    throw new VarveError(
      'nothing-selected',
      `restore ${id} touched no offset of group ${JSON.stringify(unknown)}; it did of ${before
        .slice(0, 10)
        .map(({ group }) => group)
        .join(', ')}`,
      { hint: 'name one of them, or leave --group out for all' },
    );
  return before.filter(({ group }) => groups === undefined || groups.includes(group));
}

function isSamePlace(
  a: { readonly topic: string; readonly partition: number },
  b: { readonly topic: string; readonly partition: number },
): boolean {
  return a.topic === b.topic && a.partition === b.partition;
}

/** Of which topic the offsets were. */
function lifeOf({ topics }: Journal, topic: string): string | null {
  const found = topics.find(({ target }) => target === topic);
  return found?.oldId ?? found?.topicId ?? null;
}

/** An offset that is not in the log would send its consumers to an end of it, or let them miss what comes. */
function refuseMisfits(groups: RollbackPlan['groups'], topics: RollbackFacts['topics']): void {
  const misfits = groups.flatMap(({ group, offsets }) =>
    offsets.flatMap(({ topic, partition, back }) => {
      if (back === null) return [];
      const log = topics.get(topic)?.partitions.find((row) => row.partition === partition);
      if (log === undefined) return [`${group} at ${back} of ${topic}/${partition}, which is not there`];
      if (back >= log.start && back <= log.end) return [];
      return [`${group} at ${back} of ${topic}/${partition}, which has ${log.start} to ${log.end}`];
    }),
  );
  if (misfits.length === 0) return;
  const more = misfits.length > 10 ? `; and ${misfits.length - 10} more` : '';
  throw new VarveError(
    'refused',
    `offsets of before do not fit the topics as they are now: ${misfits.slice(0, 10).join('; ')}${more}`,
    { hint: '--group puts others back without these; set these with kafka-consumer-groups.sh' },
  );
}

function notesOf(
  journal: Journal,
  { groups, topics }: { groups: RollbackPlan['groups']; topics: RollbackFacts['topics'] },
): string[] {
  const names = new Set(
    groups.flatMap(({ offsets }) => offsets.flatMap(({ topic, back }) => (back === null ? [] : [topic]))),
  );
  const notes = [...names]
    .filter((topic) => topics.get(topic)?.topicId !== lifeOf(journal, topic))
    .map((topic) => `topic ${topic} was made anew since: the same offset may be another record`);
  if (journal.finishedMs === null)
    notes.push(`restore ${journal.id} is unfinished: its command, given again, sets the groups once more`);
  return notes;
}
