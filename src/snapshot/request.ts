import type { Config } from '../config/config.ts';
import type { PartitionKey } from '../local/local.ts';
import type { SavedAccess, SavedGroups, TopicSettings } from '../repository/repository.ts';
import type { CyclePhase } from './events.ts';
import type { CutPartition } from './plan.ts';

/** What the program is set to, as far as the target is concerned: plain data, fit to cross to another process. */
export type SnapshotSettings = Pick<
  Config,
  'instance' | 'repository' | 'retain' | 'archive' | 'verify' | 'cycle' | 'topics'
> & {
  /** Where it is noted what this installation knows of the repository. */
  readonly localFolder?: string | undefined;
};

/** What a cycle is given by the process that holds the local folder. */
export interface CycleRequest {
  readonly localFolder: string;
  readonly localKeepMs: number;
  readonly localMinFreeBytes: number;
  readonly installation: string;
  /** Kafka's id of the cluster that the local files come from. */
  readonly cluster: string;
  readonly tool: string;
  /** The partitions that are being written, as they stood at the cut. All others are recovered by the cycle itself. */
  readonly cut: readonly CutPartition[];
  /** Held by the sink, but not to be had at the cut: left for the next cycle. */
  readonly busy: readonly PartitionKey[];
  /** The topics that are included and there; null where Kafka is away. */
  readonly topics: readonly SeenTopic[] | null;
  /** The groups as Kafka tells them now; null where Kafka is away. */
  readonly groups: SavedGroups | null;
  /** Who may do what, as far as Kafka tells; null where it is away. */
  readonly access: SavedAccess | null;
  /** What of these could not be read, in words. */
  readonly unread: readonly string[];
  readonly accept: {
    readonly rollback: boolean;
    readonly cluster: boolean;
    readonly shrink: boolean;
    /** The clock is right now, and was ahead before. */
    readonly clock: boolean;
  };
}

export interface SeenTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly settings: TopicSettings;
}

/** What a cycle did, for programs and people alike. */
export interface CycleReport {
  readonly id: string;
  readonly seq: number;
  readonly repository: string;
  readonly takenMs: number;
  readonly tookMs: number;
  readonly phasesMs: Readonly<Partial<Record<CyclePhase, number>>>;
  readonly partitions: number;
  readonly segments: number;
  readonly rawBytes: number;
  readonly newBytes: number;
  readonly newPacks: number;
  readonly linkedBytes: number;
  readonly linkedPacks: number;
  /** Of these, those of which a second file was made, because the target allowed no further name of the first. */
  readonly copiedBytes: number;
  readonly copiedPacks: number;
  readonly expired: readonly { readonly id: string; readonly reason: string }[];
  readonly held: readonly { readonly kind: string; readonly text: string }[];
  readonly vanishedTopics: readonly string[];
  readonly damaged: readonly { readonly what: string; readonly problem: string }[];
  readonly warnings: readonly string[];
  readonly freedSegments: number;
  readonly freedBytes: number;
  /** How old the groups and configs in the manifest are, where Kafka could not be asked. */
  readonly settingsAgeMs: number | null;
  readonly verified: boolean;
  readonly targetFreeBytes: number;
  /** Partitions up to where the snapshot holds them, for the group's commits. */
  readonly durable: readonly {
    readonly topic: string;
    readonly topicId: string;
    readonly partition: number;
    readonly offset: string;
  }[];
  /** The code with which the cycle ends although it published, if any. */
  readonly finding: 'damage' | 'clock-back' | 'incomplete' | null;
}
