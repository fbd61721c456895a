/** What the Java client is asked and answers. Offsets and timestamps are 64-bit integers. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
export type Isolation = 'read_committed' | 'read_uncommitted';

/** Keys and values are bytes, null (a tombstone's value), or text, which stands for its UTF-8 bytes. */
export type Bytes = Uint8Array | string | null;

export type RecordToProduce = {
  /** Null: where the client's own partitioner puts it. */
  readonly partition?: number | null;
  readonly key?: Bytes;
  readonly value?: Bytes;
  /** Milliseconds; −1 for none. The Java client makes no other negative one. */
  readonly timestamp?: bigint | number;
  readonly headers?: readonly (readonly [name: string, value: Bytes])[];
};

export type ProducerOptions = {
  readonly compression?: Compression;
  readonly batchSize?: number;
  /** A long one makes one batch of the records, since every call flushes at its end. */
  readonly lingerMs?: number;
  readonly idempotence?: boolean;
};

export type TopicDescription = {
  readonly topicId: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader: number;
    readonly replicas: readonly number[];
    readonly inSync: readonly number[];
  }[];
};

export type PartitionOffsets = {
  readonly partition: number;
  readonly earliest: bigint;
  /** The high watermark. */
  readonly latest: bigint;
  /** The last stable offset. */
  readonly stable: bigint;
};

export type GroupOffset = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata: string;
  readonly leaderEpoch: number;
};

export type TopicPartition = { readonly topic: string; readonly partition: number };
export type Acl = (
  | { readonly topic: string; readonly prefixed?: boolean }
  | { readonly group: string }
  | { readonly cluster: 'kafka-cluster' }
) & {
  readonly username: string;
  readonly permission: 'ALLOW' | 'DENY';
  readonly operation?: 'ALL' | 'READ' | 'WRITE' | 'DESCRIBE' | 'DESCRIBE_CONFIGS';
  readonly host?: string;
};
export type Consumption = {
  readonly topic: string;
  readonly isolation?: Isolation;
  readonly partitions?: readonly number[];
};
