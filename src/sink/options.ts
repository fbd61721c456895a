import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import type { LocalFolder } from '../local/local.ts';
import type { Emit } from './events.ts';
import type { DurableOffsets } from './group.ts';

export interface SinkOptions {
  readonly cluster: Cluster;
  readonly local: LocalFolder;
  readonly host: Host;
  readonly emit: Emit;
  readonly isWanted: (topic: string) => boolean;
  readonly group: string;
  readonly rack?: string;
  readonly segmentBytes: number;
  readonly inFlightBytes: number;
  readonly minFreeBytes: number;
  /** `catch-up` ends at the ends it froze and gives up on lasting trouble; `follow` goes on for ever. */
  readonly mode: 'catch-up' | 'follow';
  /** How far the newest snapshot holds each partition: there begins one that has lost its local files. */
  readonly saved?: DurableOffsets;
}
