import { messageOf } from '../errors.ts';
import { isDiskFull } from '../host/host.ts';
import { kafkaError, noAnswer, type Cluster } from '../kafka/kafka.ts';
import type { PartitionKey } from '../local/local.ts';
import { planPartitions, type Missing, type Plan, type PlannedPartition, type TopicThere } from './plan.ts';
import { PartitionStream, type Leader, type StreamPorts } from './stream.ts';

/** Enough to keep the disk busy, few enough to leave the rest of the program its threads. */
const openingMax = 8;

/** The partitions that are read, kept in step with what the cluster says it has. */
export class Streams {
  readonly #cluster: Pick<Cluster, 'metadata' | 'listOffsets'>;
  readonly #ports: StreamPorts;
  readonly #isWanted: (topic: string) => boolean;
  readonly #byId = new Map<string, PartitionStream>();
  readonly #refusedBefore = new Map<string, string>();
  /** Wanted, but not to be had just now: partition by partition, or topic by topic. */
  missing: readonly Missing[] = [];
  topics: ReadonlyMap<string, TopicThere> = new Map();
  /** Wanted topics that the cluster refuses, and how many are not wanted. */
  left: Pick<Plan, 'refused' | 'excluded'> = { refused: [], excluded: 0 };
  /** Why a partition could not be begun, where that is the disk being full: it is full for all. */
  full: unknown;
  #discovery: Promise<void> | undefined;

  constructor(
    cluster: Pick<Cluster, 'metadata' | 'listOffsets'>,
    isWanted: (topic: string) => boolean,
    ports: StreamPorts,
  ) {
    this.#cluster = cluster;
    this.#isWanted = isWanted;
    this.#ports = ports;
  }

  all(): Iterable<PartitionStream> {
    return this.#byId.values();
  }

  get count(): number {
    return this.#byId.size;
  }

  /** Looks at the cluster: new partitions begin, leaders are followed, topics that went are let go. One at a time. */
  async discover(): Promise<void> {
    this.#discovery ??= this.#discover().finally(() => {
      this.#discovery = undefined;
    });
    await this.#discovery;
  }

  async #discover(): Promise<void> {
    this.full = undefined;
    const plan = planPartitions(await this.#cluster.metadata({ signal: this.#ports.signal }), this.#isWanted);
    const missing: Missing[] = [];
    for (const { topic, message, passes, isUnauthorised } of plan.refused) {
      missing.push({ topic, partition: undefined, message, passes });
      if (this.#refusedBefore.get(topic) !== message)
        this.#ports.emit({ type: 'topic-refused', topic, message });
      this.#refusedBefore.set(topic, message);
      if (isUnauthorised) this.#stopTopic(topic, message);
    }
    const refused = new Set(plan.refused.map(({ topic }) => topic));
    for (const stream of this.#byId.values()) {
      const { topic, topicId } = stream.key;
      if (!refused.has(topic) && plan.topics.get(topic)?.topicId !== topicId) stream.markGone();
    }
    const fresh: (PlannedPartition & { leader: Leader })[] = [];
    for (const { key, leader, problem } of plan.partitions) {
      const known = this.#byId.get(streamId(key));
      if (leader === undefined) {
        missing.push({ ...key, message: problem ?? 'no leader', passes: true });
        known?.retryLater(problem ?? 'no leader');
      } else if (known === undefined) fresh.push({ key, leader, problem });
      else {
        known.allow();
        known.follow(leader);
      }
    }
    missing.push(...(await this.#begin(fresh)));
    this.missing = missing;
    this.topics = plan.topics;
    this.left = plan;
  }

  async #begin(fresh: readonly (PlannedPartition & { leader: Leader })[]): Promise<Missing[]> {
    if (fresh.length === 0) return [];
    const rows = fresh.map(({ key, leader }) => ({
      topic: key.topic,
      partition: key.partition,
      leaderId: leader.brokerId,
      leaderEpoch: leader.epoch,
      timestamp: -2n,
    }));
    const answers = await this.#cluster.listOffsets(rows, {
      isolation: 'read_uncommitted',
      signal: this.#ports.signal,
    });
    const earliest = new Map(answers.map((answer) => [`${answer.topic}/${answer.partition}`, answer]));
    const missing: Missing[] = [];
    const waiting = [...fresh];
    const openOne = async ({ key, leader }: PlannedPartition & { leader: Leader }): Promise<void> => {
      const answer = earliest.get(`${key.topic}/${key.partition}`);
      if (answer === undefined || answer.errorCode !== 0) {
        const { name, text, retryable: passes } = kafkaError(answer?.errorCode ?? noAnswer);
        missing.push({ ...key, message: `where its log begins: ${name}: ${text}`, passes });
        return;
      }
      if (answer.offset < 0n) {
        const message = `where its log begins: expected an offset, got ${answer.offset}`;
        missing.push({ ...key, message, passes: false });
        return;
      }
      try {
        const stream = await PartitionStream.open({ key, leader, earliest: answer.offset }, this.#ports);
        this.#byId.set(streamId(key), stream);
      } catch (error) {
        missing.push({ ...key, message: messageOf(error), passes: false });
        if (isDiskFull(error)) this.full = error;
        else
          this.#ports.emit({ type: 'partition-stopped', ...key, reason: 'disk', message: messageOf(error) });
      }
    };
    const work = async (): Promise<void> => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await openOne(one);
    };
    await Promise.all(Array.from({ length: openingMax }, work));
    return missing;
  }

  #stopTopic(topic: string, message: string): void {
    for (const stream of this.#byId.values()) {
      if (stream.key.topic === topic) stream.stop('unauthorised', message);
    }
  }
}

function streamId(key: PartitionKey): string {
  return `${key.topicId}/${key.partition}`;
}
