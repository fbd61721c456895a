import { VarveError } from '../errors.ts';
import { addressText, type Address } from './address.ts';
import { readAccess, type Access } from './access.ts';
import { Admin, type Changing } from './admin.ts';
import {
  noAnswer,
  type Cluster,
  type CommitResult,
  type ChangedTopic,
  type CommittedOffset,
  type CreatedTopic,
  type DeletedTopic,
  type EpochEnd,
  type EpochQuestion,
  type GroupState,
  type Isolation,
  type ListedOffset,
  type Metadata,
  type NewTopic,
  type OffsetQuestion,
  type OffsetToCommit,
  type ProducerIdentity,
  type RecordsToDelete,
  type SavedGroup,
  type TopicChange,
  type TopicConfigs,
} from './api.ts';
import type { Fetcher, Producer } from './records.ts';
import { connect, type Surroundings } from './connect.ts';
import type { Connections } from './connections.ts';
import { BrokerFetcher } from './fetcher.ts';
import { Groups } from './groups.ts';
import { groupStates } from './group-states.ts';
import { askAnyBroker } from './any-broker.ts';
import { askLeaders } from './leaders.ts';
import { plainMemory, type FrameMemory } from './memory.ts';
import { deleteRecordsMessage } from './messages/delete-records.ts';
import { describeConfigsMessage, type DescribedTopic } from './messages/describe-configs.ts';
import { listOffsetsMessage } from './messages/list-offsets.ts';
import { metadataMessage } from './messages/metadata.ts';
import { offsetForLeaderEpochMessage } from './messages/offset-for-leader-epoch.ts';
import { pause } from './pause.ts';
import { BrokerProducer } from './producer.ts';
import { groupNames, savedGroups, type SavedGroupsPorts } from './saved-groups.ts';
import { topicConfigs } from './topic-configs.ts';
import type { Wire } from './wire.ts';

interface Waiting {
  readonly signal?: AbortSignal | undefined;
}

export interface ClusterOptions {
  readonly around: Surroundings;
  readonly connections: Connections;
  readonly fetchMemory: FrameMemory;
  readonly bootstrap: readonly Address[];
  readonly first: Metadata;
}

/** A cluster of which at least one broker has answered. It remembers where the brokers are, and nothing else. */
export class ConnectedCluster implements Cluster {
  readonly clusterId: string;
  readonly #around: Surroundings;
  readonly #connections: Connections;
  readonly #fetchMemory: FrameMemory;
  readonly #bootstrap: readonly Address[];
  readonly #groups: Groups;
  readonly #admin: Admin;
  readonly #fetchers = new Set<BrokerFetcher>();
  readonly #producers = new Set<BrokerProducer>();
  readonly #closing = new AbortController();
  #brokers = new Map<number, Address>();
  #controllerId = -1;

  constructor(options: ClusterOptions) {
    this.clusterId = options.first.clusterId;
    this.#around = options.around;
    this.#connections = options.connections;
    this.#fetchMemory = options.fetchMemory;
    this.#bootstrap = options.bootstrap;
    this.#learn(options.first);
    this.#admin = new Admin({
      atController: async (run, signal) => this.#atController(run, signal),
      anyBroker: async (run, signal) => this.#atAnyBroker(run, signal),
      pause: async (delayMs, signal) => {
        const signals = [this.#closing.signal, ...(signal ? [signal] : [])];
        await pause(this.#around.ports, { delayMs, signals });
      },
    });
    this.#groups = new Groups({
      client: options.around.client,
      connections: options.connections,
      anyBroker: async (run, signal) => this.#atAnyBroker(run, signal),
    });
  }

  async metadata(options: { topics?: readonly string[]; signal?: AbortSignal } = {}): Promise<Metadata> {
    const { topics, signal } = options;
    const metadata = await this.#atAnyBroker(
      async (wire) => wire.call(metadataMessage, { topics }, { signal }),
      signal,
    );
    if (metadata.clusterId !== this.clusterId) {
      throw new VarveError(
        'wrong-cluster',
        `the brokers belong to another cluster: expected ${this.clusterId}, got ${metadata.clusterId}`,
        { hint: 'Check where the addresses in kafka.brokers lead.' },
      );
    }
    this.#learn(metadata);
    return metadata;
  }

  async listOffsets(
    questions: readonly OffsetQuestion[],
    { isolation, signal }: { isolation: Isolation; signal?: AbortSignal },
  ): Promise<ListedOffset[]> {
    return askLeaders<OffsetQuestion, ListedOffset>(questions, {
      ask: async (leaderId, rows) => {
        const wire = await this.#toBroker(leaderId, { signal });
        return wire.call(listOffsetsMessage, { isolation, questions: rows }, { signal });
      },
      failed: ({ topic, partition }, failure) => ({
        topic,
        partition,
        errorCode: noAnswer,
        offset: -1n,
        timestamp: -1n,
        leaderEpoch: -1,
        failure,
      }),
    });
  }

  async endOffsetForEpoch(questions: readonly EpochQuestion[], waiting: Waiting = {}): Promise<EpochEnd[]> {
    return askLeaders<EpochQuestion, EpochEnd>(questions, {
      ask: async (leaderId, rows) => {
        const wire = await this.#toBroker(leaderId, waiting);
        return wire.call(offsetForLeaderEpochMessage, rows, waiting);
      },
      failed: ({ topic, partition }, failure) => ({
        topic,
        partition,
        errorCode: noAnswer,
        epoch: -1,
        endOffset: -1n,
        failure,
      }),
    });
  }

  async committedOffsets(group: string, waiting: Waiting = {}): Promise<CommittedOffset[]> {
    return this.#groups.committed(group, waiting);
  }

  async commitOffsets(
    group: string,
    rows: readonly OffsetToCommit[],
    waiting: Waiting = {},
  ): Promise<CommitResult[]> {
    return this.#groups.commit(group, rows, waiting);
  }

  async deleteOffsets(
    group: string,
    rows: readonly Pick<CommitResult, 'topic' | 'partition'>[],
    waiting: Waiting = {},
  ): Promise<CommitResult[]> {
    return this.#groups.delete(group, rows, waiting);
  }

  async savedGroups(options: {
    without: (group: string) => boolean;
    signal?: AbortSignal;
  }): Promise<SavedGroup[]> {
    const { without, signal } = options;
    // A broker that came since the last look coordinates groups, too.
    await this.metadata({ topics: [], ...(signal && { signal }) });
    return savedGroups(this.#groupPorts(signal), without);
  }

  async groupNames({ signal }: Waiting = {}): Promise<string[]> {
    await this.metadata({ topics: [], ...(signal && { signal }) });
    return groupNames(this.#groupPorts(signal));
  }

  async groupStates(groups: readonly string[], { signal }: Waiting = {}): Promise<GroupState[]> {
    return groupStates(this.#groupPorts(signal), groups);
  }

  async access({ signal }: Waiting = {}): Promise<Access> {
    return readAccess(async (run) => this.#atAnyBroker(run, signal), { signal });
  }

  async topicConfigs(names: readonly string[], waiting: Waiting = {}): Promise<TopicConfigs[]> {
    return topicConfigs(names, 'own', this.#describing(waiting));
  }

  async effectiveConfigs(names: readonly string[], waiting: Waiting = {}): Promise<TopicConfigs[]> {
    return topicConfigs(names, 'effective', this.#describing(waiting));
  }

  async createTopics(topics: readonly NewTopic[], changing: Changing = {}): Promise<CreatedTopic[]> {
    return this.#admin.createTopics(topics, changing);
  }

  async deleteTopics(topicIds: readonly string[], waiting: Waiting = {}): Promise<DeletedTopic[]> {
    return this.#admin.deleteTopics(topicIds, waiting);
  }

  async deleteRecords(rows: readonly RecordsToDelete[], waiting: Waiting = {}): Promise<CommitResult[]> {
    const timeoutMs = 30_000;
    return askLeaders<RecordsToDelete, CommitResult>(rows, {
      ask: async (leaderId, ofOne) => {
        const wire = await this.#toBroker(leaderId, waiting);
        return wire.call(deleteRecordsMessage, { rows: ofOne, timeoutMs }, { ...waiting, waitMs: timeoutMs });
      },
      failed: ({ topic, partition }) => ({ topic, partition, errorCode: noAnswer }),
    });
  }

  async changeTopicConfigs(
    changes: readonly TopicChange[],
    changing: Changing = {},
  ): Promise<ChangedTopic[]> {
    return this.#admin.changeTopicConfigs(changes, changing);
  }

  async producerIdentity(waiting: Waiting = {}): Promise<ProducerIdentity> {
    return this.#admin.producerIdentity(waiting);
  }

  async producer(brokerId: number): Promise<Producer> {
    const address = await this.#addressOf(brokerId, {});
    const { signal } = this.#closing;
    const wire = await connect(this.#around, { address, memory: plainMemory, signal });
    const producer: BrokerProducer = new BrokerProducer({
      brokerId,
      wire,
      onGone: () => this.#producers.delete(producer),
    });
    this.#producers.add(producer);
    return producer;
  }

  async fetcher(brokerId: number): Promise<Fetcher> {
    const open = async (): Promise<Wire> =>
      connect(this.#around, {
        address: await this.#addressOf(brokerId, {}),
        memory: this.#fetchMemory,
        signal: this.#closing.signal,
      });
    const wire = await open();
    const fetcher: BrokerFetcher = new BrokerFetcher({
      brokerId,
      wire,
      open,
      onGone: () => this.#fetchers.delete(fetcher),
    });
    this.#fetchers.add(fetcher);
    return fetcher;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('closed by us'));
    const own = [...this.#fetchers, ...this.#producers];
    await Promise.all(own.map(async (one) => one[Symbol.asyncDispose]()));
    await this.#connections.close();
  }

  #learn({ brokers, controllerId }: Metadata): void {
    if (brokers.length === 0) return;
    this.#controllerId = controllerId;
    this.#brokers = new Map(brokers.map(({ id, host, port }) => [id, { host, port }]));
    this.#connections.keepOnly([...this.#brokers.values(), ...this.#bootstrap]);
  }

  #describing({ signal }: Waiting): (names: readonly string[]) => Promise<readonly DescribedTopic[]> {
    return async (names) =>
      this.#atAnyBroker(async (wire) => wire.call(describeConfigsMessage, names, { signal }), signal);
  }

  #groupPorts(signal: AbortSignal | undefined): SavedGroupsPorts {
    const signals = [this.#closing.signal, ...(signal ? [signal] : [])];
    return {
      brokers: [...this.#brokers.values()],
      to: async (address) => this.#connections.to(address, signal),
      anyBroker: async (run) => this.#atAnyBroker(run, signal),
      pause: async (delayMs) => pause(this.#around.ports, { delayMs, signals }),
      signal,
    };
  }

  /**
   * Where brokers pass such requests on, any of them is told as the controller; when it is silent, another is asked
   * beside it. So a change may come twice, which the second time changes nothing.
   */
  async #atController<T>(run: (wire: Wire) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    await this.metadata({ topics: [], ...(signal && { signal }) });
    const controller = await this.#addressOf(this.#controllerId, { signal });
    const others = [...this.#brokers].filter(([id]) => id !== this.#controllerId);
    const addresses = [controller, ...others.map(([, address]) => address)];
    return this.#askOneOf(addresses, run, signal);
  }

  async #toBroker(id: number, waiting: Waiting): Promise<Wire> {
    return this.#connections.to(await this.#addressOf(id, waiting), waiting.signal);
  }

  async #addressOf(id: number, { signal }: Waiting): Promise<Address> {
    if (!this.#brokers.has(id) && id >= 0) await this.metadata({ topics: [], ...(signal && { signal }) });
    const address = this.#brokers.get(id);
    if (address !== undefined) return address;
    const what = id < 0 ? 'the partition has no leader' : `broker ${id} is not in the cluster now`;
    throw new VarveError('kafka-unreachable', what, {
      retryable: true,
      hint: 'This passes when the broker is back.',
    });
  }

  /** Of the known brokers, then those of the configuration, the first that can be talked to. */
  async #atAnyBroker<T>(run: (wire: Wire) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const addresses = new Map(
      [...this.#brokers.values(), ...this.#bootstrap].map((address) => [addressText(address), address]),
    );
    return this.#askOneOf([...addresses.values()], run, signal);
  }

  async #askOneOf<T>(
    addresses: readonly Address[],
    run: (wire: Wire) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return askAnyBroker(addresses, {
      ask: async (address) => run(await this.#connections.to(address, signal)),
      isOver: () => signal?.aborted === true || this.#closing.signal.aborted,
      after: (delayMs, next) => this.#around.ports.after(delayMs, next),
    });
  }
}
