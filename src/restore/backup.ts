/** What a restore is given to read from: the lives of topics, with every copy of each partition that is at hand. */
import type { Coverage, CoveredBatch } from '../local/local.ts';
import type { SavedGroup, TopicSettings } from '../repository/repository.ts';

export interface Range {
  readonly from: bigint;
  /** The offset behind the last one. */
  readonly to: bigint;
}

export interface ReadRange {
  readonly first: bigint;
  readonly below: bigint;
  /** Batches without a record from here on, and before `toMs`, may be left out. */
  readonly fromMs: bigint | undefined;
  readonly toMs: bigint | undefined;
}

/** One copy of a partition's records: the local files, or a snapshot of one instance. */
export interface Copy {
  /** As an operator knows it. */
  readonly name: string;
  readonly coverage: Coverage;
  /** What is covered and cannot be read here: freed, or expired. */
  readonly absent: readonly Range[];
  /** Of these, what policy has let go of. */
  readonly expired?: readonly Range[];
  /** In offset order. A batch stays as it is until the next one is asked for. Throws damage. */
  read(range: ReadRange): AsyncGenerator<CoveredBatch, void, undefined>;
}

export interface BackedUpPartition {
  readonly partition: number;
  /** In order of preference. */
  readonly copies: readonly Copy[];
}

/** One life of a topic, as all sources together have it. */
export interface Life {
  readonly topic: string;
  readonly topicId: string;
  readonly firstSeen: string | undefined;
  /** Kafka's id of the cluster that it comes from; undefined where nobody noted it. */
  readonly cluster: string | undefined;
  /** As the cluster told last; undefined where no snapshot has them. */
  readonly settings: TopicSettings | undefined;
  readonly partitions: readonly BackedUpPartition[];
  /** Of the records, as far as a snapshot tells. */
  readonly firstMs: bigint | undefined;
  readonly lastMs: bigint | undefined;
}

export interface UsedSnapshot {
  readonly instance: string;
  readonly id: string;
}

export interface Backup {
  /** The names of all topics. */
  readonly topics: readonly string[];
  readonly snapshots: readonly UsedSnapshot[];
  /** Of the newest snapshot used; undefined where none has them. */
  readonly groups: readonly SavedGroup[] | undefined;
  /** When the groups were read. */
  readonly groupsReadMs: number | undefined;
  /** The lives of a topic, the newest last. */
  lives(topic: string): Promise<readonly Life[]>;
}
