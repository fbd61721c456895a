import { beforeEach, expect, test } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';
import type { Cluster, Metadata, ProducedRow, Producer, ProducerIdentity } from '../../src/kafka/kafka.ts';
import { scanBatches } from '../../src/log/log.ts';
import { JournalBook } from '../../src/restore/book.ts';
import type { JournalTopic } from '../../src/restore/journal.ts';
import type { PartitionWriter } from '../../src/restore/partition-writer.ts';
import { TargetWriter } from '../../src/restore/writer.ts';
import { encodeBatch, record } from '../log/encoder.ts';
import { journal } from './journals.ts';
import { LeapingClock } from './leaping-clock.ts';

const place = { topic: 'orders', topicId: 'k3PN8zE1QCa7mL0rT5wXyA', partition: 2 };
const recordsPerBatch = 3;
const codes = { notLeader: 6, leaderAway: 5, outOfOrder: 45, duplicate: 46 };

interface Sent {
  readonly brokerId: number;
  readonly bytes: Buffer;
  readonly producerId: bigint;
  readonly sequence: number;
  readonly count: number;
}

type Answer = Pick<ProducedRow, 'errorCode' | 'baseOffset'>;

/** One partition of a cluster that keeps to the rules of idempotent producers, but for the faults that a test orders. */
class FakeTarget {
  readonly sent: Sent[] = [];
  readonly log: Sent[] = [];
  readonly identities: ProducerIdentity[] = [];
  leaderId = 1;
  /** What brokers that lag behind tell of the topic, answer by answer, before one knows it. */
  outdated: { errorCode: number; topicId: string }[] = [];
  end = 0n;
  /** Instead of the rules, for the next batches; undefined: by the rules. May throw. */
  faults: (((sent: Sent) => Answer | Promise<Answer>) | undefined)[] = [];
  fallback: (sent: Sent) => Answer | Promise<Answer> = (sent) => this.append(sent);
  /** For each broker, what ends the requests that it does not answer. */
  readonly #closings = new Map<number, PromiseWithResolvers<never>>();
  #known = new Set<bigint>();

  append(sent: Sent): Answer {
    let offset = this.end - BigInt(this.log.reduce((sum, { count }) => sum + count, 0));
    for (const there of this.log) {
      const isSame = there.producerId === sent.producerId && there.sequence === sent.sequence;
      if (isSame) return { errorCode: 0, baseOffset: offset };
      offset += BigInt(there.count);
    }
    const last = this.log.findLast(({ producerId }) => producerId === sent.producerId);
    const next = last === undefined ? undefined : (last.sequence + last.count) % 2 ** 31;
    const isNext = next === sent.sequence || (next === undefined && !this.#known.has(sent.producerId));
    if (!isNext) return { errorCode: codes.outOfOrder, baseOffset: -1n };
    this.#known.add(sent.producerId);
    this.log.push(sent);
    this.end += BigInt(sent.count);
    return { errorCode: 0, baseOffset: offset };
  }

  /** Says nothing until the connection is closed. */
  async silence({ brokerId }: Sent): Promise<never> {
    const closing = this.#closings.get(brokerId) ?? Promise.withResolvers<never>();
    this.#closings.set(brokerId, closing);
    return closing.promise;
  }

  get cluster(): Cluster {
    const fake = {
      metadata: async (): Promise<Pick<Metadata, 'topics'>> => {
        const partition = { errorCode: 0, partition: place.partition, leaderId: this.leaderId };
        const partitions = [{ ...partition, leaderEpoch: 0, replicas: [1], isr: [1], offline: [] }];
        return {
          topics: [
            {
              errorCode: 0,
              topicId: place.topicId,
              ...this.outdated.shift(),
              name: place.topic,
              isInternal: false,
              partitions,
            },
          ],
        };
      },
      listOffsets: async () => [{ errorCode: 0, offset: this.end }],
      producerIdentity: async () => ({ producerId: 77n, producerEpoch: 0 }),
      commitOffsets: async (_group: string, rows: readonly object[]) =>
        rows.map((row) => ({ ...row, errorCode: 0 })),
      producer: async (brokerId: number) => this.#producer(brokerId),
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a writer asks for nothing else
    return fake as unknown as Cluster;
  }

  #producer(brokerId: number): Producer {
    return {
      brokerId,
      produce: async ({ partitions }) =>
        Promise.all(
          partitions.map(async ({ topicId, partition, batch }) => {
            const [header] = scanBatches(batch).batches;
            if (header === undefined) throw new Error('not a batch');
            const bytes = Buffer.from(batch);
            const sent = {
              brokerId,
              bytes,
              producerId: batch.readBigInt64BE(43),
              sequence: batch.readInt32BE(53),
              count: header.recordCount,
            };
            this.sent.push(sent);
            const answer = await (this.faults.shift() ?? this.fallback)(sent);
            return { topicId, partition, message: undefined, ...answer };
          }),
        ),
      [Symbol.asyncDispose]: async () => {
        const closed = new VarveError('kafka-unreachable', 'closed by us', { retryable: true });
        this.#closings.get(brokerId)?.reject(closed);
      },
    };
  }
}

let target: FakeTarget;
let clock: LeapingClock;
beforeEach(() => {
  target = new FakeTarget();
  clock = new LeapingClock();
});

function openWriter(
  o: {
    throttle?: number;
    start?: bigint;
    there?: bigint;
    signal?: AbortSignal;
    identity?: ProducerIdentity;
  } = {},
): {
  writer: PartitionWriter;
  acked: () => number;
} {
  let acked = 0;
  const all = new TargetWriter({
    cluster: target.cluster,
    clock,
    signal: o.signal ?? new AbortController().signal,
    throttle: o.throttle,
    onAcked(records) {
      acked += records;
    },
    onIdentity: async (_place, identity) => void target.identities.push(identity),
  });
  const writer = all.open(place, o.identity ?? { producerId: 5n, producerEpoch: 0 });
  const start = o.start ?? 0n;
  writer.begin({ start, there: o.there ?? start, leaderId: 1 });
  target.end = o.there ?? start;
  return { writer, acked: () => acked };
}

/** Batches of three records, each with a value that tells it from the others. */
async function push(writer: PartitionWriter, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    const records = Array.from({ length: recordsPerBatch }, (_, offsetDelta) =>
      record({ offsetDelta, value: Buffer.from(`batch ${index}, record ${offsetDelta}`) }),
    );
    await writer.push({ bytes: encodeBatch({ records }), records: recordsPerBatch });
  }
}

function valuesOf(log: readonly Sent[]): string[] {
  return log.map(({ bytes }) => /batch \d+/.exec(bytes.toString('latin1'))?.[0] ?? '');
}

const firstSix = [0, 1, 2, 3, 4, 5].map((index) => `batch ${index}`);

test('the first batch goes alone, and the others once it is answered, without waiting for each other', async () => {
  const first = Promise.withResolvers<undefined>();
  const others = Promise.withResolvers<undefined>();
  const held = async (gate: Promise<unknown>, sent: Sent): Promise<Answer> => {
    const answer = target.append(sent);
    await gate;
    return answer;
  };
  target.faults = [async (sent) => held(first.promise, sent)];
  target.fallback = async (sent) => held(others.promise, sent);
  const { writer } = openWriter();
  await push(writer, 6);
  await settled();
  expect(target.sent).toHaveLength(1);
  first.resolve(undefined);
  await settled();
  expect(valuesOf(target.sent)).toEqual(firstSix);
  others.resolve(undefined);
  await writer.finish();
  expect(writer.acked).toBe(18n);
});

test('a leader that moves in the middle: everything goes once, in order, to the new one', async () => {
  const moved = (): Answer => {
    target.leaderId = 2;
    return { errorCode: codes.notLeader, baseOffset: -1n };
  };
  target.faults = [undefined, undefined, moved];
  target.fallback = (sent) => (sent.brokerId === target.leaderId ? target.append(sent) : moved());
  const { writer, acked } = openWriter();
  await push(writer, 6);
  await writer.finish();
  expect(valuesOf(target.log)).toEqual(firstSix);
  expect(target.log.map(({ brokerId }) => brokerId)).toEqual([1, 1, 2, 2, 2, 2]);
  expect(acked()).toBe(18);
});

test('a leader that hangs and is replaced: everything goes once, in order, to the new one, long before it is given up', async () => {
  target.fallback = async (sent) => {
    if (sent.brokerId === target.leaderId) return target.append(sent);
    return await target.silence(sent);
  };
  const beganMs = clock.now;
  const { writer, acked } = openWriter();
  const hang = async (sent: Sent): Promise<Answer> => {
    target.leaderId = 2;
    return await target.silence(sent);
  };
  target.faults = [undefined, hang];
  await push(writer, 6);
  await writer.finish();
  expect(valuesOf(target.log)).toEqual(firstSix);
  expect(target.log.map(({ brokerId }) => brokerId)).toEqual([1, 2, 2, 2, 2, 2]);
  expect(acked()).toBe(18);
  expect(clock.now - beganMs).toBeLessThan(15_000);
});

test('brokers that lag behind tell of the topic that was deleted, or of none: another is asked, and it goes on', async () => {
  target.faults = [undefined, () => ({ errorCode: codes.notLeader, baseOffset: -1n })];
  target.outdated = [
    { errorCode: 0, topicId: 'AAAAAAAAQwCHqJg3t5ZgxA' },
    { errorCode: 3, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' },
    { errorCode: 0, topicId: 'AAAAAAAAQwCHqJg3t5ZgxA' },
  ];
  target.fallback = (sent) =>
    target.outdated.length > 0 ? { errorCode: codes.notLeader, baseOffset: -1n } : target.append(sent);
  const { writer } = openWriter();
  await push(writer, 6);
  await writer.finish();
  expect(valuesOf(target.log)).toEqual(firstSix);
});

test('a topic that stays another one was made anew by somebody: it stops, and says so', async () => {
  const another = { errorCode: 0, topicId: 'AAAAAAAAQwCHqJg3t5ZgxA' };
  target.outdated = Array.from({ length: 50 }, () => another);
  target.fallback = () => ({ errorCode: codes.notLeader, baseOffset: -1n });
  const { writer } = openWriter();
  await push(writer, 1);
  await expect(writer.finish()).rejects.toMatchObject({
    code: 'interrupted',
    message: expect.stringContaining('was deleted, or made anew'),
  });
});

test.each([
  { what: 'had arrived', isThere: true },
  { what: 'had not arrived', isThere: false },
])(
  'a connection lost without an answer, where the batch $what: the same bytes go again',
  async ({ isThere }) => {
    let lost: Sent | undefined;
    target.faults = [
      undefined,
      (sent) => {
        lost = sent;
        if (isThere) target.append(sent);
        throw new VarveError('kafka-unreachable', 'the connection is lost', { retryable: true });
      },
    ];
    const { writer, acked } = openWriter();
    await push(writer, 6);
    await writer.finish();
    const again = target.sent.filter(({ sequence }) => sequence === lost?.sequence);
    expect(again.length).toBeGreaterThan(1);
    for (const { bytes } of again) expect(bytes.equals(lost?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(valuesOf(target.log)).toEqual(firstSix);
    expect(acked()).toBe(18);
  },
);

test('batches out of order behind one that failed only follow it: no fresh producer id', async () => {
  target.faults = [undefined, () => ({ errorCode: codes.leaderAway, baseOffset: -1n })];
  const { writer } = openWriter();
  await push(writer, 6);
  await writer.finish();
  expect(target.sent.length).toBeGreaterThan(7);
  expect(valuesOf(target.log)).toEqual(firstSix);
  expect(target.identities).toEqual([]);
});

test('a broker that has forgotten the producer: a fresh id goes on, noted before it is used', async () => {
  target.faults = [append, append];
  target.fallback = (sent) => {
    if (sent.producerId === 5n) return { errorCode: codes.outOfOrder, baseOffset: -1n };
    expect(target.identities).toEqual([{ producerId: 77n, producerEpoch: 0 }]);
    return target.append(sent);
  };
  const { writer } = openWriter();
  await push(writer, 6);
  await writer.finish();
  expect(valuesOf(target.log)).toEqual(firstSix);
  expect(target.log.map(({ producerId }) => producerId)).toEqual([5n, 5n, 77n, 77n, 77n, 77n]);
});

test('the fresh id of one partition is that of no other: a run after it sends again what the run before had sent', async () => {
  const begun = new JournalBook(
    { ...journal, topics: journal.topics.map(atPlace) },
    {
      host: systemHost,
      cluster: target.cluster,
      localFolder: undefined,
      signal: new AbortController().signal,
    },
  );
  const identity = begun.identityOf(place.topic, place.partition);
  const { writer } = openWriter({ identity });
  await push(writer, 2);
  await writer.finish();
  await begun.renew(place.topic, 0, { producerId: 77n, producerEpoch: 0 });

  // The process dies here, and what a broker then tells of the end of the log is as old as the batch before.
  const resumed = openWriter({ identity: begun.identityOf(place.topic, place.partition), there: 3n });
  target.end = 6n;
  await push(resumed.writer, 3);
  await resumed.writer.finish();
  expect(valuesOf(target.log)).toEqual(firstSix.slice(0, 3));
});

function atPlace(topic: JournalTopic): JournalTopic {
  const [row] = topic.partitions;
  if (row === undefined) throw new Error('the journal has partitions');
  const partitions = [0, place.partition].map((partition) => ({ ...row, partition }));
  return { ...topic, target: place.topic, partitionCount: 3, partitions };
}

test('a forgotten producer whose batch is in the log: it is not written again', async () => {
  target.faults = [
    (sent) => {
      target.append(sent);
      throw new VarveError('kafka-unreachable', 'the connection is lost', { retryable: true });
    },
    () => ({ errorCode: codes.outOfOrder, baseOffset: -1n }),
  ];
  const { writer, acked } = openWriter();
  await push(writer, 6);
  await writer.finish();
  expect(valuesOf(target.log)).toEqual(firstSix);
  expect(acked()).toBe(18);
  expect(target.identities).toEqual([]);
});

test('an answer that calls a batch a duplicate acknowledges it', async () => {
  target.faults = [
    undefined,
    (sent) => {
      target.append(sent);
      return { errorCode: codes.duplicate, baseOffset: -1n };
    },
  ];
  const { writer, acked } = openWriter();
  await push(writer, 6);
  await writer.finish();
  expect(target.sent).toHaveLength(6);
  expect(acked()).toBe(18);
});

test('a batch at another offset than the expected one comes from another producer: it stops, and names the place', async () => {
  target.faults = [undefined, () => ({ errorCode: 0, baseOffset: 4n })];
  const { writer } = openWriter();
  await push(writer, 2);
  await expect(writer.finish()).rejects.toMatchObject({
    code: 'interrupted',
    message: 'somebody else writes into orders, partition 2: a batch got offset 4, expected 3',
  });
  await expect(push(writer, 1)).rejects.toThrow('somebody else');
  expect(target.sent).toHaveLength(2);
});

test('an end of the log inside a batch of this restore comes from another producer', async () => {
  const { writer } = openWriter({ there: 4n });
  await expect(push(writer, 2)).rejects.toMatchObject({ code: 'interrupted' });
  expect(target.sent).toEqual([]);
});

test('what is in the target already is not sent, and what follows has its sequence', async () => {
  const { writer } = openWriter({ start: 100n, there: 106n });
  await push(writer, 4);
  await writer.finish();
  expect(valuesOf(target.log)).toEqual(['batch 2', 'batch 3']);
  expect(target.log.map(({ sequence }) => sequence)).toEqual([6, 9]);
  expect(writer.acked).toBe(112n);
});

test('a throttle holds the rate', async () => {
  const { writer } = openWriter({ throttle: 1000 });
  const beganMs = clock.now;
  await push(writer, 10);
  await writer.finish();
  const bytes = target.log.reduce((sum, sent) => sum + sent.bytes.length, 0);
  const allButLast = bytes - (target.log.at(-1)?.bytes.length ?? 0);
  expect(clock.now - beganMs).toBeGreaterThanOrEqual(Math.floor(allButLast));
  expect(clock.now - beganMs).toBeLessThan(bytes * 1.5);
});

test('sequences begin again at 0 behind the highest number', async () => {
  const there = 2n ** 31n - 3n;
  const { writer } = openWriter({ there });
  await writer.push({ bytes: encodeBatch({ records: [record()] }), records: Number(there) });
  await push(writer, 3);
  await writer.finish();
  expect(target.log.map(({ sequence }) => sequence)).toEqual([2 ** 31 - 3, 0, 3]);
  expect(writer.acked).toBe(there + 9n);
});

test('a partition without a leader is asked about for two minutes, and then given up for now', async () => {
  target.fallback = () => ({ errorCode: codes.leaderAway, baseOffset: -1n });
  const { writer } = openWriter();
  const beganMs = clock.now;
  await push(writer, 2);
  await expect(writer.finish()).rejects.toMatchObject({
    code: 'interrupted',
    message: expect.stringContaining('orders/2: nothing could be written for 120 s'),
  });
  expect(clock.now - beganMs).toBeGreaterThan(120_000);
  expect(clock.now - beganMs).toBeLessThan(130_000);
  expect(target.log).toEqual([]);
});

test('progress begins the two minutes anew', async () => {
  let asked = 0;
  // Away for more than a minute, three times, each time after one batch more.
  target.fallback = (sent) => {
    asked += 1;
    const isAway = asked % 45 !== 0;
    return isAway ? { errorCode: codes.leaderAway, baseOffset: -1n } : target.append(sent);
  };
  const { writer } = openWriter();
  const beganMs = clock.now;
  await push(writer, 3);
  await writer.finish();
  expect(clock.now - beganMs).toBeGreaterThan(120_000);
  expect(valuesOf(target.log)).toEqual(firstSix.slice(0, 3));
});

test('an error that no repetition mends stops at once', async () => {
  target.faults = [() => ({ errorCode: 10, baseOffset: -1n })];
  const { writer } = openWriter();
  await push(writer, 1);
  await expect(writer.finish()).rejects.toThrow('MESSAGE_TOO_LARGE');
  expect(target.sent).toHaveLength(1);
});

test('asked to stop, it gives back everybody who waits', async () => {
  const stop = new AbortController();
  target.fallback = async () => new Promise(() => undefined);
  const { writer } = openWriter({ signal: stop.signal });
  await push(writer, 2);
  const finished = writer.finish();
  stop.abort();
  await expect(finished).rejects.toMatchObject({ code: 'interrupted' });
});

function append(sent: Sent): Answer {
  return target.append(sent);
}

/** Everything that can go on without an answer has gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
