import { JavaError, type JavaClient } from '../../scripts/kafka/kafka.ts';

const recordsPerRound = 600;
/** About as much as can be compared as a whole; behind it a round is a trickle. */
const recordsMax = 120_000;

/** Producers that write all the while, acknowledged by all in-sync replicas, some of it in transactions. */
export class Load implements AsyncDisposable {
  readonly #java: JavaClient;
  readonly #topic: string;
  readonly #ended: Promise<void>;
  partitions: number;
  rounds = 0;
  #round: PromiseWithResolvers<void> = Promise.withResolvers();
  #producers = 0;
  /** What was acknowledged outside of transactions, which may have ended in any way. */
  acknowledged = 0;
  #isOver = false;

  constructor(java: JavaClient, o: { topic: string; partitions: number }) {
    this.#java = java;
    this.#topic = o.topic;
    this.partitions = o.partitions;
    this.#ended = this.#run();
    this.#ended.catch(() => undefined); // told by `ended`
  }

  /** Resolves when so many more rounds were written from their beginning. */
  async more(rounds: number): Promise<void> {
    const enough = this.rounds + rounds + 1;
    while (this.rounds < enough) await Promise.race([this.#round.promise, this.#ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const { partitions } = this;
      const seed = this.rounds;
      const compression = (['none', 'zstd', 'lz4', 'gzip'] as const)[this.rounds % 4] ?? 'none';
      const records = this.acknowledged < recordsMax ? recordsPerRound : partitions;
      await this.#java.produceLoad({ topic: this.#topic, records, size: 200, partitions, compression, seed });
      this.acknowledged += records;
      await this.#transaction();
      this.rounds += 1;
      this.#round.resolve();
      this.#round = Promise.withResolvers();
    }
  }

  /** One that a dying broker spoils is aborted by its coordinator. */
  async #transaction(): Promise<void> {
    const transactionalId = `load-${this.#producers}`;
    const records = Array.from({ length: 30 }, (_, index) => ({
      value: `transaction ${this.rounds}, ${index}`,
      partition: index % this.partitions,
    }));
    try {
      await this.#java.beginTransaction({ transactionalId, transactionTimeoutMs: 20_000 });
      await this.#java.produce({ topic: this.#topic, records, transactionalId });
      if (this.rounds % 2 === 0) await this.#java.commitTransaction(transactionalId);
      else await this.#java.abortTransaction(transactionalId);
    } catch (error) {
      if (!(error instanceof JavaError)) throw error;
      this.#producers += 1; // a producer that failed in a transaction cannot be used any more
    }
  }
}
