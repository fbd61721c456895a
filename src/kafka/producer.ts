import type { Producer, ProducedRow } from './records.ts';
import { lost } from './failures.ts';
import { produceByIdMessage, produceByNameMessage } from './messages/produce.ts';
import type { Wire } from './wire.ts';

/** Producing to one broker on a connection of its own, so that the order of the requests is nobody else's business. */
export class BrokerProducer implements Producer {
  readonly brokerId: number;
  readonly #wire: Wire;

  constructor(options: { brokerId: number; wire: Wire; onGone: () => void }) {
    this.brokerId = options.brokerId;
    this.#wire = options.wire;
    void options.wire.closed.then(options.onGone);
  }

  async produce(request: Parameters<Producer['produce']>[0]): Promise<ProducedRow[]> {
    const wire = this.#wire;
    const { timeoutMs } = request;
    const byId = wire.speaks(produceByIdMessage);
    const partitions = request.partitions.map(({ topic, topicId, partition, batch }) => ({
      topicKey: byId ? topicId : topic,
      partition,
      batch,
    }));
    const message = byId ? produceByIdMessage : produceByNameMessage;
    const answers = await wire.call(message, { timeoutMs, partitions }, { waitMs: timeoutMs });
    const byKey = new Map(answers.map((row) => [`${row.partition} ${row.topicKey}`, row]));
    return request.partitions.map(({ topic, topicId, partition }) => {
      const row = byKey.get(`${partition} ${byId ? topicId : topic}`);
      if (row === undefined) {
        wire.close(lost(wire.broker, new Error(`no answer for partition ${partition} of ${topic}`)));
        throw wire.failure ?? new Error('dead without a reason');
      }
      const { errorCode, baseOffset, message: text } = row;
      return { topicId, partition, errorCode, baseOffset, message: text };
    });
  }

  /** The session is about to end: the next request belongs on another connection. */
  get expired(): boolean {
    return this.#wire.expired;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire.close();
    await this.#wire.closed;
  }
}
