/** Connections on which records travel, and nothing else. */

export interface Producer extends AsyncDisposable {
  readonly brokerId: number;
  /** Requests leave in the order in which they are asked for. Rejects where it is not known whether they arrived. */
  produce(request: {
    readonly partitions: readonly PartitionToProduce[];
    readonly timeoutMs: number;
  }): Promise<ProducedRow[]>;
}

export interface PartitionToProduce {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** One batch, whole. */
  readonly batch: Buffer;
}

export interface ProducedRow {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  /** In the broker's own words. */
  readonly message: string | undefined;
  readonly baseOffset: bigint;
}

export interface Fetcher extends AsyncDisposable {
  readonly brokerId: number;
  /** An aborted fetch rejects, and takes its connection with it. */
  fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse>;
}

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly rackId?: string;
  /** In the order in which the broker shall fill them. */
  readonly partitions: readonly FetchPartition[];
  /**
   * With it, one request at a time. `continued`: a row that is the same object as in the request before is not sent
   * again, and where nothing is new in a partition the answer leaves it out. `fresh`: everything is said anew.
   */
  readonly session?: 'continued' | 'fresh';
}

export interface FetchPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly offset: bigint;
  /** The epoch of the record before `offset`, or -1. */
  readonly lastEpoch: number;
  readonly maxBytes: number;
}

export interface FetchResponse {
  readonly errorCode: number;
  /** Above 0 where a quota is used up: the answer may hold no partition at all then. */
  readonly throttleMs: number;
  readonly partitions: readonly FetchedPartition[];
  /** False where a partition that is absent has nothing new. */
  readonly isWhole: boolean;
  /** Of the whole answer: what is held until it is released. */
  readonly byteLength: number;
  /** Gives the memory back; the records are invalid afterwards. A second call does nothing. */
  release(): void;
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  readonly logStartOffset: bigint;
  readonly aborted: readonly AbortedTransaction[];
  /** -1 where the leader itself answers. */
  readonly preferredReadReplica: number;
  readonly diverging?: { readonly epoch: number; readonly endOffset: bigint };
  /** A view into the answer: valid until it is released. */
  readonly records: Buffer;
}

interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}
