/** Connections that read the target back: whoever leads a partition is asked over one that nobody else uses just now. */
import { VarveError } from '../errors.ts';
import type { Cluster, Fetcher } from '../kafka/kafka.ts';
import type { PartitionPlace } from './partition-writer.ts';
import { Room } from './room.ts';

/** Of one broker: each holds an answer of some megabytes. */
const connectionsMax = 6;

interface Broker {
  readonly room: Room;
  readonly idle: Fetcher[];
}

export class Readers implements AsyncDisposable {
  readonly #cluster: Pick<Cluster, 'metadata' | 'fetcher'>;
  readonly #brokers = new Map<number, Broker>();

  constructor(cluster: Pick<Cluster, 'metadata' | 'fetcher'>) {
    this.#cluster = cluster;
  }

  /** A connection is lent for `use`, once there is one; one over which something failed is not used again. */
  async lend<T>(brokerId: number, use: (fetcher: Fetcher) => Promise<T>): Promise<T> {
    const { room, idle } = this.#brokerOf(brokerId);
    return await room.one(async () => {
      const fetcher = idle.pop() ?? (await this.#cluster.fetcher(brokerId));
      try {
        const result = await use(fetcher);
        idle.push(fetcher);
        return result;
      } catch (error) {
        await fetcher[Symbol.asyncDispose]();
        throw error;
      }
    });
  }

  async leaderOf({ topic, topicId, partition }: PartitionPlace, signal: AbortSignal): Promise<number> {
    const { topics } = await this.#cluster.metadata({ topics: [topic], signal });
    const found = topics[0];
    if (found !== undefined && found.errorCode === 0 && found.topicId !== topicId)
      // Unless a broker that lags behind says so: who writes hears it, too.
      throw new VarveError('interrupted', `topic ${topic} was made anew while it was being read back`, {
        retryable: true,
        hint: 'find out who did that; then begin again with --recreate',
      });
    return found?.partitions.find((row) => row.partition === partition)?.leaderId ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#brokers.values()].flatMap(({ idle }) => idle);
    this.#brokers.clear();
    await Promise.all(all.map(async (fetcher) => fetcher[Symbol.asyncDispose]()));
  }

  #brokerOf(brokerId: number): Broker {
    const known = this.#brokers.get(brokerId);
    if (known !== undefined) return known;
    const broker = { room: new Room(connectionsMax), idle: [] };
    this.#brokers.set(brokerId, broker);
    return broker;
  }
}
