/**
 * Kafka's own Java client, in one long-running JVM per cluster: the oracle that exactness is judged by. A failure arrives as
 * a `JavaError` with the exception's class and message. Calls may overlap; await one to have it happen before the next.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import type {
  Acl,
  Bytes,
  Consumption,
  GroupOffset,
  PartitionOffsets,
  ProducerOptions,
  RecordToProduce,
  TopicDescription,
  TopicPartition,
} from './java-types.ts';
import { type KafkaRow, parseRow } from './row.ts';

export class JavaError extends Error {
  readonly javaClass: string;

  constructor(javaClass: string, message: string) {
    super(`${javaClass}: ${message}`);
    this.name = 'JavaError';
    this.javaClass = javaClass;
  }
}

type Answer<Result> = { readonly result: Result; readonly error?: { class: string; message: string } };
type Waiting = { resolve: (answer: string) => void; reject: (error: Error) => void };

export class JavaClient implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #requests: Writable;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #ended = false;

  constructor(at: {
    classPath: string;
    jvmArgs: readonly string[];
    bootstrap: string;
    logFd: number;
    heapMb: number;
  }) {
    const jvm = [...at.jvmArgs, `-Xmx${at.heapMb}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    const args = [...jvm, ...quietLogging, '-cp', at.classPath, 'varve.OracleMain', at.bootstrap];
    const child = spawn('java', args, { stdio: ['pipe', 'pipe', at.logFd], detached: true });
    if (child.stdin === null || child.stdout === null) throw new Error('a child process without pipes');
    this.#child = child;
    this.#requests = child.stdin;
    this.#requests.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => this.#answered(line));
    this.#child.once('error', (error) => this.#gone(error));
    this.#child.once('close', () => this.#gone(new Error('the Java client has ended')));
  }

  /** Returns when every partition has a leader and all replicas are in sync. */
  async createTopic(topic: {
    topic: string;
    partitions?: number;
    replicationFactor?: number;
    configs?: Record<string, string>;
  }): Promise<TopicDescription> {
    return this.#call('createTopic', topic);
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#call('deleteTopic', { topic });
  }

  /** `count` is what the topic has afterwards. */
  async createPartitions(topic: { topic: string; count: number }): Promise<TopicDescription> {
    return this.#call('createPartitions', topic);
  }

  /** A null removes the topic's own value. */
  async alterConfigs(change: { topic: string; configs: Record<string, string | null> }): Promise<void> {
    await this.#call('alterConfigs', change);
  }

  /** The topic's own configs, without defaults. */
  async describeConfigs(topic: string): Promise<Record<string, string>> {
    return this.#call('describeConfigs', { topic });
  }

  async deleteRecords(records: TopicPartition & { before: bigint }): Promise<{ logStart: bigint }> {
    const answer = await this.#call<{ logStart: string }>('deleteRecords', records);
    return { logStart: BigInt(answer.logStart) };
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    return this.#call('describeTopic', { topic });
  }

  /** By name, without Kafka's own. */
  async listTopics(): Promise<string[]> {
    return this.#call('listTopics', {});
  }

  async listGroups(): Promise<string[]> {
    return this.#call('listGroups', {});
  }

  async listOffsets(topic: string): Promise<PartitionOffsets[]> {
    const rows = await this.#call<{ partition: number; earliest: string; latest: string; stable: string }[]>(
      'listOffsets',
      { topic },
    );
    return rows.map(({ partition, earliest, latest, stable }) => ({
      partition,
      earliest: BigInt(earliest),
      latest: BigInt(latest),
      stable: BigInt(stable),
    }));
  }

  async commitOffsets(commit: {
    group: string;
    offsets: readonly (TopicPartition & { offset: bigint; metadata?: string })[];
  }): Promise<void> {
    await this.#call('commitOffsets', commit);
  }

  async listGroupOffsets(group: string): Promise<GroupOffset[]> {
    const rows = await this.#call<(Omit<GroupOffset, 'offset'> & { offset: string })[]>('listGroupOffsets', {
      group,
    });
    return rows.map((row) => ({ ...row, offset: BigInt(row.offset) }));
  }

  /** Makes this broker the partition's leader; the number of replicas stays. */
  async moveLeader(move: TopicPartition & { broker: number }): Promise<TopicDescription> {
    return this.#call('moveLeader', move);
  }

  /** Takes effect for the named user of the SASL listeners; the plain listener's clients may do everything. */
  async setAcl(acl: Acl): Promise<void> {
    await this.#call('setAcl', acl);
  }

  async removeAcl(acl: Acl): Promise<void> {
    await this.#call('removeAcl', acl);
  }

  /** A byte rate for a client id (null: whichever has none of its own), beyond which the broker throttles; null removes it. */
  async setQuota(quota: {
    clientId: string | null;
    user?: string;
    quota: 'consumer_byte_rate' | 'producer_byte_rate';
    bytesPerSecond: number | null;
  }): Promise<void> {
    await this.#call('setQuota', quota);
  }

  /** Returns the offsets, in the order of the records, once all are acknowledged. */
  async produce(
    work: ProducerOptions & {
      topic: string;
      records: readonly RecordToProduce[];
      /** Into the transaction that `beginTransaction` opened; the producer's options were given there. */
      transactionalId?: string;
    },
  ): Promise<{ partition: number; offset: bigint }[]> {
    const records = work.records.map((record) => ({
      ...record,
      key: base64(record.key),
      value: base64(record.value),
      headers: record.headers?.map(([name, value]) => [name, base64(value)]),
    }));
    const rows = await this.#call<{ partition: number; offset: string }[]>('produce', { ...work, records });
    return rows.map(({ partition, offset }) => ({ partition, offset: BigInt(offset) }));
  }

  async beginTransaction(
    transaction: ProducerOptions & { transactionalId: string; transactionTimeoutMs?: number },
  ): Promise<void> {
    await this.#call('beginTransaction', transaction);
  }

  /** Returns when the markers are written, which is later than the Java client's own commit. */
  async commitTransaction(transactionalId: string): Promise<void> {
    await this.#call('commitTransaction', { transactionalId });
  }

  async abortTransaction(transactionalId: string): Promise<void> {
    await this.#call('abortTransaction', { transactionalId });
  }

  /** Many generated records, made inside the JVM; the same seed makes the same keys and values. */
  async produceLoad(
    load: ProducerOptions & {
      topic: string;
      records: number;
      size: number;
      partitions?: number;
      keyed?: boolean;
      seed?: number;
      /** Of the first record; each later one is a millisecond later. */
      timestamp?: bigint | number;
    },
  ): Promise<{ records: number; elapsedMs: number }> {
    return this.#call('produceLoad', load);
  }

  /** Every record up to the end offsets as of now, by partition, then by offset. */
  async consume(consumption: Consumption): Promise<KafkaRow[]> {
    return (await this.consumeLines(consumption)).map(parseRow);
  }

  /** The same as lines that must equal those of `varve cat --json`, byte for byte. */
  async consumeLines(consumption: Consumption): Promise<string[]> {
    return this.#call('consume', consumption);
  }

  /** The same lines into a file, for topics too large to hold. */
  async consumeToFile(consumption: Consumption & { file: string }): Promise<{ records: number }> {
    return this.#call('consumeToFile', consumption);
  }

  /** Ends the JVM; an open transaction stays open on the broker. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#child, 'close');
    this.#requests.end();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // The result's type is what the method of the same name in java/ builds; this is the one place that trusts it.
  async #call<Result>(method: string, params: object): Promise<Result> {
    if (this.#ended) throw new Error(`the Java client has ended: ${method} cannot be called`);
    const id = this.#calls++;
    const answered = new Promise<string>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const line = JSON.stringify({ id, method, params }, (_, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    this.#requests.write(`${line}\n`);
    const { result, error }: Answer<Result> = JSON.parse(await answered);
    // Thrown here and not where the line arrives, so that the stack names the caller.
    if (error !== undefined) throw new JavaError(error.class, error.message);
    return result;
  }

  /** A line is the call's number, a space, and the answer in JSON. */
  #answered(line: string): void {
    const space = line.indexOf(' ');
    const id = Number(line.slice(0, space));
    this.#waiting.get(id)?.resolve(line.slice(space + 1));
    this.#waiting.delete(id);
  }

  #gone(error: Error): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

export const quietLogging = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
];

function base64(bytes: Bytes | undefined): string | null {
  return bytes === undefined || bytes === null ? null : Buffer.from(bytes).toString('base64');
}
