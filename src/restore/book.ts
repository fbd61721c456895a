import type { ProducerIdentity } from '../kafka/kafka.ts';
import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import { commitJournal, writeJournal, type Journal, type JournalTopic } from './journal.ts';
import { patiently } from './patience.ts';

interface BookPorts {
  readonly host: Host;
  readonly cluster: Cluster;
  readonly localFolder: string | undefined;
  readonly signal: AbortSignal;
}

/** The journal as it stands, each change on disk and in the target before what it tells of goes on. */
export class JournalBook {
  journal: Journal;
  readonly #ports: BookPorts;
  #writing: Promise<void> = Promise.resolve();

  constructor(journal: Journal, ports: BookPorts) {
    this.journal = journal;
    this.#ports = ports;
  }

  /** Whose batches those of a partition are, in every run: what a run before sent may still arrive. */
  identityOf(target: string, partition: number): ProducerIdentity {
    const { producerId, producerEpoch } = this.partition(target, partition).producer ?? this.journal;
    return { producerId, producerEpoch };
  }

  /** Whether a batch of that producer may be one of this restore, of whichever run. */
  isOurs(target: string, partition: number, producerId: bigint): boolean {
    const ids = [this.journal.producerId, this.identityOf(target, partition).producerId];
    return ids.includes(producerId);
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
      isMixed: undefined,
      partitions: topic.partitions.map((row) => ({ ...row, start: starts.get(row.partition) ?? 0n })),
    }));
  }

  /** What is on disk may be more than the target was told, where a run before was killed in between. */
  async again(target: string): Promise<void> {
    await this.#save(this.journal, [target]);
  }

  /** Nothing of it counts: it is emptied and restored again by the next run. */
  async giveUp(target: string): Promise<void> {
    await this.#change(target, (topic) => ({ ...topic, state: 'planned', isMixed: true }));
  }

  async restored(target: string, ends: ReadonlyMap<number, bigint>): Promise<void> {
    await this.#change(target, (topic) => ({
      ...topic,
      state: 'restored',
      partitions: topic.partitions.map((row) => ({ ...row, end: ends.get(row.partition) ?? row.start })),
    }));
  }

  async renew(target: string, partition: number, identity: ProducerIdentity): Promise<void> {
    await this.#change(target, (topic) => ({
      ...topic,
      partitions: topic.partitions.map((row) =>
        row.partition === partition ? { ...row, producer: identity } : row,
      ),
    }));
  }

  /**
   * The target first: what the local disk calls finished, nobody would tell the target again. `left`: groups that were
   * not set after all.
   */
  async finish(nowMs: number, left: ReadonlySet<string>): Promise<void> {
    const before = this.journal.before?.flatMap(({ group, offsets }) => {
      // What went with a topic that was deleted is gone all the same.
      const lost = offsets.filter(
        ({ topic, offset }) => offset !== null && this.topic(topic).action === 'recreate',
      );
      const noted = left.has(group) ? lost : offsets;
      return noted.length === 0 ? [] : [{ group, offsets: noted }];
    });
    this.journal = { ...this.journal, before, finishedMs: nowMs };
    await this.#inTurn(async () => {
      await this.#tell(this.journal.topics.map(({ target }) => target));
      await this.#write();
    });
  }

  async #change(target: string, change: (topic: JournalTopic) => JournalTopic): Promise<void> {
    const topics = this.journal.topics.map((topic) => (topic.target === target ? change(topic) : topic));
    await this.#save({ ...this.journal, topics }, [target]);
  }

  async #save(journal: Journal, targets: readonly string[]): Promise<void> {
    this.journal = journal;
    await this.#inTurn(async () => {
      await this.#write();
      await this.#tell(targets);
    });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    this.#writing = this.#writing.then(work);
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { host, localFolder } = this.#ports;
    await writeJournal(host, localFolder, this.journal);
  }

  async #tell(targets: readonly string[]): Promise<void> {
    const { host, cluster, signal } = this.#ports;
    for (const target of targets)
      await patiently(
        async () => commitJournal(cluster, this.journal, { topic: this.topic(target), signal }),
        { clock: host.clock, signal },
      );
  }
}
