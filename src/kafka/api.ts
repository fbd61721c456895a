import type { VarveError } from '../errors.ts';
import type { Access } from './access.ts';
import type { Fetcher, Producer } from './records.ts';

export interface Cluster extends AsyncDisposable {
  readonly clusterId: string;
  /** Asks any live broker. Errors of topics and partitions are kept in the answer, never thrown. */
  metadata(options?: { topics?: readonly string[]; signal?: AbortSignal }): Promise<Metadata>;
  /** One answer per question, in the questions' order. A broker that fails gives `failure` in its rows alone. */
  listOffsets(
    questions: readonly OffsetQuestion[],
    options: { isolation: Isolation; signal?: AbortSignal },
  ): Promise<ListedOffset[]>;
  /** One answer per question, in the questions' order, as `listOffsets`. */
  endOffsetForEpoch(
    questions: readonly EpochQuestion[],
    options?: { signal?: AbortSignal },
  ): Promise<EpochEnd[]>;
  committedOffsets(group: string, options?: { signal?: AbortSignal }): Promise<CommittedOffset[]>;
  /** Member-less. What fails as a whole is thrown; what fails for one partition is in its row, in the rows' order. */
  commitOffsets(
    group: string,
    rows: readonly OffsetToCommit[],
    options?: { signal?: AbortSignal },
  ): Promise<CommitResult[]>;
  /** Every group that has committed offsets but those left out; throws rather than give a list that is not whole. */
  savedGroups(options: { without: (group: string) => boolean; signal?: AbortSignal }): Promise<SavedGroup[]>;
  /** Who may do what, and how much of it. What the cluster does not tell this user is in its part. */
  access(options?: { signal?: AbortSignal }): Promise<Access>;
  /** What is set on the topics themselves, in the names' order; a change may reach the broker asked a moment late. */
  topicConfigs(names: readonly string[], options?: { signal?: AbortSignal }): Promise<TopicConfigs[]>;
  /** What applies to each topic, from whatever level it comes, in the names' order. */
  effectiveConfigs(names: readonly string[], options?: { signal?: AbortSignal }): Promise<TopicConfigs[]>;
  /** One row per topic, in their order. What fails is in its row. */
  createTopics(topics: readonly NewTopic[], options?: ChangeOptions): Promise<CreatedTopic[]>;
  /** By topic id. What fails is in its row. */
  deleteTopics(topicIds: readonly string[], options?: { signal?: AbortSignal }): Promise<DeletedTopic[]>;
  /** At the partitions' leaders. One row per partition, in their order. What fails is in its row. */
  deleteRecords(
    rows: readonly RecordsToDelete[],
    options?: { signal?: AbortSignal },
  ): Promise<CommitResult[]>;
  /** Takes committed offsets away. What fails as a whole is thrown, as in `commitOffsets`. */
  deleteOffsets(
    group: string,
    rows: readonly Pick<CommitResult, 'topic' | 'partition'>[],
    options?: { signal?: AbortSignal },
  ): Promise<CommitResult[]>;
  /** What is not named stays as it is. What fails is in its row, and nothing of that row was changed. */
  changeTopicConfigs(changes: readonly TopicChange[], options?: ChangeOptions): Promise<ChangedTopic[]>;
  /** A fresh one, for producing without transactions. */
  producerIdentity(options?: { signal?: AbortSignal }): Promise<ProducerIdentity>;
  /** Of every group there is. */
  groupNames(options?: { signal?: AbortSignal }): Promise<string[]>;
  /** How groups stand now, of the classic and of the new protocol; one that is not there is Dead. */
  groupStates(groups: readonly string[], options?: { signal?: AbortSignal }): Promise<GroupState[]>;
  /** A connection to that broker for producing alone. Once it has failed it stays failed: make another. */
  producer(brokerId: number): Promise<Producer>;
  /** A connection to that broker for fetching alone. Once it has failed it stays failed: make another. */
  fetcher(brokerId: number): Promise<Fetcher>;
}

export type Isolation = 'read_committed' | 'read_uncommitted';

export interface Metadata {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly brokers: readonly Broker[];
  readonly topics: readonly TopicMetadata[];
}

export interface Broker {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | undefined;
}

export interface TopicMetadata {
  readonly errorCode: number;
  /** Empty only where the broker does not say. */
  readonly name: string;
  /** Kafka's own text form of the topic's UUID; all zero bits (`AAAAAAAAAAAAAAAAAAAAAA`) where it is not known. */
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionMetadata[];
}

export interface PartitionMetadata {
  readonly errorCode: number;
  readonly partition: number;
  /** -1 where there is no leader. */
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offline: readonly number[];
}

/** The two times with a meaning of their own in a question for an offset. */
export const latestOffset = -1n;
export const earliestOffset = -2n;

export interface OffsetQuestion {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  /** -1: do not check. */
  readonly leaderEpoch: number;
  /** Milliseconds, or `latestOffset`, or `earliestOffset`. */
  readonly timestamp: bigint;
}

/** `noAnswer` as an error code says that the broker could not be asked; `failure` says why. */
export const noAnswer = -1000;

export interface ListedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** -1 where there is no such offset. */
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly leaderEpoch: number;
  readonly failure?: VarveError;
}

export interface EpochQuestion {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  /** The epoch whose end is asked for. */
  readonly epoch: number;
}

export interface EpochEnd {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** The largest epoch known that is not above the one asked for; -1 where there is none. */
  readonly epoch: number;
  readonly endOffset: bigint;
  readonly failure?: VarveError;
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** A consumer group as a snapshot keeps it. */
export interface SavedGroup {
  readonly group: string;
  /** `consumer` for consumers; other tools have words of their own; empty where nobody ever joined. */
  readonly protocolType: string;
  readonly state: string;
  readonly offsets: readonly Omit<CommittedOffset, 'errorCode'>[];
  /** Why it could not be read: `offsets` is empty then, and says nothing. */
  readonly failure?: VarveError;
}

export interface TopicConfigs {
  readonly topic: string;
  readonly configs: readonly { readonly name: string; readonly value: string }[];
  /** Why they could not be read: `configs` is empty then, and says nothing. */
  readonly failure?: VarveError;
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface CommitResult {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
}

export interface RecordsToDelete {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  readonly before: bigint;
}

interface ChangeOptions {
  /** Ask whether it could be done, and do nothing. */
  readonly validateOnly?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  /** -1: as the cluster is set. */
  readonly replicationFactor: number;
  readonly configs: readonly (readonly [name: string, value: string])[];
}

interface RowEnd {
  readonly errorCode: number;
  /** In the broker's own words. */
  readonly message: string | undefined;
}

export interface CreatedTopic extends RowEnd {
  readonly topic: string;
  readonly topicId: string;
  /** What applies to it, or would apply; empty where the broker does not tell. */
  readonly configs: readonly { readonly name: string; readonly value: string }[];
}

export interface DeletedTopic extends RowEnd {
  readonly topicId: string;
}

export interface TopicChange {
  readonly topic: string;
  /** Undefined takes the topic's own value away. */
  readonly configs: readonly (readonly [name: string, value: string | undefined])[];
}

export interface ChangedTopic extends RowEnd {
  readonly topic: string;
}

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface GroupState {
  readonly group: string;
  readonly errorCode: number;
  /** In the broker's words; `Dead` where there is no such group. */
  readonly state: string;
  readonly members: readonly {
    readonly clientId: string;
    readonly host: string;
    /** Subscribed to, or assigned. */
    readonly topics: readonly string[];
  }[];
}
