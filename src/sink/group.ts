import { VarveError, messageOf } from '../errors.ts';
import { pause, steadyMs, type Clock } from '../host/host.ts';
import { kafkaError, type Cluster, type CommittedOffset } from '../kafka/kafka.ts';
import type { Identity, PartitionKey, Position } from '../local/local.ts';
import type { Emit } from './events.ts';
import type { PartitionStream, Start } from './stream.ts';

/**
 * Positions are committed to a group of their own, so that every Kafka tool shows the lag. The files are the truth;
 * the commit says how far they are durable, and whose they are.
 */
interface CommitNote {
  readonly topicId: string;
  /** The offset up to which the newest snapshot holds the partition; null while there is none. */
  readonly durable: string | null;
  readonly epoch: number;
  readonly repository: string;
  readonly installation: string;
  /** When it was committed, in milliseconds; 0 once the installation has let go. */
  readonly at: number;
}

/** An installation that has committed nothing for this long no longer counts as alive. */
export const installationSilentMs = 10 * 60 * 1000;
/** Well within that, every position is committed again. */
const commitAgainMs = 3 * 60 * 1000;

/** How far each partition was in a snapshot when it was committed last, by topic id and partition. */
export type DurableOffsets = ReadonlyMap<string, bigint>;

export function durableKey({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId}/${partition}`;
}

/**
 * Refuses a group in which another installation is alive: two of them would overwrite each other's positions. What it
 * says of an earlier life of this one is returned, where it is about the same repository.
 */
export async function assertOwnGroup(
  cluster: Pick<Cluster, 'committedOffsets'>,
  group: string,
  o: { identity: Identity; clock: Clock; emit: Emit },
): Promise<DurableOffsets> {
  const nowMs = o.clock.nowMs();
  const durable = new Map<string, bigint>();
  for (const row of await positionsOf(cluster, group, o)) {
    const note = parseNote(row.metadata);
    if (note === undefined) continue;
    // Of another repository, or while ours is not known, it would leave out what ours has never had.
    if (note.durable !== undefined && note.repository === o.identity.repository)
      durable.set(durableKey({ ...row, topicId: note.topicId }), note.durable);
    if (note.installation === o.identity.installation) continue;
    if (nowMs - note.at >= installationSilentMs) continue;
    const seen = `installation ${note.installation} committed ${row.topic}/${row.partition} at ${new Date(note.at).toISOString()}`;
    throw new VarveError(
      'foreign-installation',
      `group ${group} is used by another installation: expected ${o.identity.installation}, but ${seen}`,
      {
        hint: `give this installation a \`name\` of its own; if the other one is gone for good, wait ${installationSilentMs / 60_000} minutes or delete the group`,
      },
    );
  }
  return durable;
}

/** Where a partition without local files was left off: what a snapshot holds is known better than what a note says. */
export function startOf(
  key: PartitionKey,
  { saved, committed }: { saved: DurableOffsets | undefined; committed: DurableOffsets },
): Start | undefined {
  const inSnapshot = saved?.get(durableKey(key));
  if (inSnapshot !== undefined) return { offset: inSnapshot, from: 'snapshot' };
  const inNote = committed.get(durableKey(key));
  return inNote === undefined ? undefined : { offset: inNote, from: 'group' };
}

/** The first look at a group of a young cluster makes its coordinator: that takes a moment. */
const coordinatorWaitMs = { each: 200, atMost: 30_000 };

async function positionsOf(
  cluster: Pick<Cluster, 'committedOffsets'>,
  group: string,
  o: { clock: Clock; emit: Emit },
): Promise<CommittedOffset[]> {
  const giveUpMs = steadyMs(o.clock) + coordinatorWaitMs.atMost;
  for (;;) {
    try {
      return await cluster.committedOffsets(group);
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      if (error.code === 'kafka-refused') {
        o.emit({ type: 'commit-failed', message: error.message });
        return [];
      }
      if (!error.retryable || steadyMs(o.clock) >= giveUpMs) throw error;
    }
    await pause(o.clock, coordinatorWaitMs.each);
  }
}

interface KnownNote extends Pick<CommitNote, 'installation' | 'at' | 'topicId' | 'repository'> {
  readonly durable: bigint | undefined;
}

function parseNote(metadata: string): KnownNote | undefined {
  try {
    const note: unknown = JSON.parse(metadata);
    if (typeof note !== 'object' || note === null) return undefined;
    if (!('installation' in note) || typeof note.installation !== 'string') return undefined;
    if (!('at' in note) || typeof note.at !== 'number') return undefined;
    const { installation, at } = note;
    const topicId = 'topicId' in note && typeof note.topicId === 'string' ? note.topicId : '';
    const repository = 'repository' in note && typeof note.repository === 'string' ? note.repository : '';
    const isOffset = 'durable' in note && typeof note.durable === 'string' && /^\d{1,19}$/.test(note.durable);
    return {
      installation,
      at,
      topicId,
      repository,
      durable: isOffset ? BigInt(String(note.durable)) : undefined,
    };
  } catch {
    return undefined; // another tool reset the offset: its note is not ours
  }
}

interface Committed {
  readonly offset: bigint;
  readonly steadyMs: number;
}

export class Commits {
  readonly #cluster: Pick<Cluster, 'commitOffsets'>;
  readonly #o: { group: string; identity: () => Identity; emit: Emit; clock: Clock };
  #committed = new Map<PartitionStream, Committed>();
  #isFailing = false;
  #durable: DurableOffsets = new Map();

  constructor(
    cluster: Pick<Cluster, 'commitOffsets'>,
    o: { group: string; identity: () => Identity; emit: Emit; clock: Clock },
  ) {
    this.#cluster = cluster;
    this.#o = o;
  }

  /** From now on each commit says how far the newest snapshot holds the partition; all are committed again. */
  noteDurable(durable: DurableOffsets): void {
    this.#durable = durable;
    this.#committed = new Map(); // another one, since a commit that is under way says what was so before
  }

  /** Commits what is durable and was not committed yet. A failure is told, and made up for the next time. */
  async commit(
    streams: Iterable<PartitionStream>,
    o: { isLast: boolean; signal: AbortSignal },
  ): Promise<void> {
    const steadyNowMs = steadyMs(this.#o.clock);
    const committed = this.#committed;
    const due: { stream: PartitionStream; position: Position }[] = [];
    for (const stream of streams) {
      const position = stream.log.durable;
      if (position === undefined || stream.state.kind === 'gone') continue;
      const last = committed.get(stream);
      const isNew = last?.offset !== position.offset || steadyNowMs - last.steadyMs >= commitAgainMs;
      if (isNew || o.isLast) due.push({ stream, position });
    }
    if (due.length === 0) return;
    const at = o.isLast ? 0 : this.#o.clock.nowMs();
    const rows = due.map(({ stream, position }) => this.#rowOf(stream, position, at));
    try {
      const answers = await this.#cluster.commitOffsets(this.#o.group, rows, { signal: o.signal });
      this.#judge(answers);
      for (const { stream, position } of due)
        committed.set(stream, { offset: position.offset, steadyMs: steadyNowMs });
      this.#o.emit({ type: 'committed', partitions: due.length });
    } catch (error) {
      if (error instanceof VarveError && error.code === 'foreign-installation') throw error;
      if (o.signal.aborted && !o.isLast) return; // the last commit makes up for it
      if (!this.#isFailing) this.#o.emit({ type: 'commit-failed', message: messageOf(error) });
      this.#isFailing = true;
    }
  }

  #rowOf(
    stream: PartitionStream,
    position: Position,
    at: number,
  ): Parameters<Cluster['commitOffsets']>[1][number] {
    const { topic, topicId, partition } = stream.key;
    const { installation, repository } = this.#o.identity();
    const epoch = position.epoch;
    const note: CommitNote = {
      topicId,
      durable: this.#durable.get(durableKey(stream.key))?.toString() ?? null,
      epoch,
      repository: repository ?? '',
      installation,
      at,
    };
    return { topic, partition, offset: position.offset, leaderEpoch: epoch, metadata: JSON.stringify(note) };
  }

  #judge(answers: Awaited<ReturnType<Cluster['commitOffsets']>>): void {
    const failed = answers.filter(
      (answer) => answer.errorCode !== 0 && kafkaError(answer.errorCode).kind !== 'missing',
    );
    const first = failed[0];
    if (first === undefined) {
      this.#isFailing = false;
      return;
    }
    const { name, text } = kafkaError(first.errorCode);
    throw new VarveError(
      'failed',
      `commit to group ${this.#o.group}: ${first.topic}/${first.partition}: ${name}: ${text}`,
    );
  }
}
