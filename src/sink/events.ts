import type { PartitionKey, Repair } from '../local/local.ts';

/** What the sink tells the outside. It logs nothing itself. */
export type SinkEvent =
  | (PartitionKey & { readonly type: 'started'; readonly offset: bigint; readonly from: StartedFrom })
  | (PartitionKey & { readonly type: 'repaired'; readonly repair: Repair })
  | (PartitionKey & { readonly type: 'gap'; readonly from: bigint; readonly to: bigint })
  | (PartitionKey & { readonly type: 'truncated'; readonly offset: bigint; readonly epoch: number })
  | (PartitionKey & {
      readonly type: 'partition-stopped';
      readonly reason: StopReason;
      readonly message: string;
    })
  | (PartitionKey & { readonly type: 'partition-retried'; readonly message: string })
  | (PartitionKey & { readonly type: 'topic-gone' })
  | (PartitionKey & { readonly type: 'open-transaction'; readonly from: bigint; readonly to: bigint })
  | { readonly type: 'topic-refused'; readonly topic: string; readonly message: string }
  | { readonly type: 'cut'; readonly partitions: number; readonly pauseMs: number }
  | (PartitionKey & { readonly type: 'cut-missed' })
  | { readonly type: 'committed'; readonly partitions: number }
  | { readonly type: 'commit-failed'; readonly message: string }
  | { readonly type: 'disk-refused'; readonly message: string; readonly isFull: boolean }
  | { readonly type: 'space-low'; readonly freeBytes: number; readonly minFreeBytes: number }
  | { readonly type: 'space-back'; readonly freeBytes: number }
  | { readonly type: 'broker-lost'; readonly brokerId: number; readonly message: string }
  | { readonly type: 'broker-back'; readonly brokerId: number }
  | { readonly type: 'metadata-failed'; readonly message: string };

export type StartedFrom = 'local files' | 'snapshot' | 'group' | 'earliest';

export type StopReason =
  | 'damaged'
  | 'too large'
  | 'unauthorised'
  | 'unknown error'
  | 'disk'
  | 'older cluster';

export type Emit = (event: SinkEvent) => void;
