import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import type { Memory } from '../repository/repository.ts';
import type { RestoreProgress } from '../restore/restore.ts';
import type { SnapshotSettings } from '../snapshot/snapshot.ts';
import type { Order, OrderName, OrderResult } from '../target/target.ts';
import type { DrillReport } from './report.ts';

export interface DrillRequest {
  /** Names and globs. */
  readonly topics: readonly string[];
  /** About so much is taken; undefined for everything. */
  readonly bytesMax: number | undefined;
  readonly kind: DrillReport['kind'];
}

/** How the child is watched is for whoever asks it to say. */
export type TargetOrder<Name extends OrderName> = Omit<Order<Name>, 'onChild' | 'stuckMs'>;

export interface DrillPorts {
  readonly host: Host;
  readonly settings: SnapshotSettings;
  readonly memory: Memory | undefined;
  /** Drills that restore need one: the journal of what they made is there. */
  readonly localFolder: string | undefined;
  /** Has the child process carry out an order: one at a time. */
  readonly ask: <Name extends OrderName>(order: TargetOrder<Name>) => Promise<OrderResult<Name>>;
  readonly connect: (signal: AbortSignal) => Promise<Cluster>;
  /** Of the brokers, as configured. */
  readonly addresses: string;
  readonly progress: RestoreProgress;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}
