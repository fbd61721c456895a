import type { Stretch } from '../crypto/crypto.ts';
import type { Host } from '../host/host.ts';
import type { CycleEvent, SnapshotSettings, VerifyProgress } from '../snapshot/snapshot.ts';

/** What an order may tell on its way. */
export type TargetEvent = CycleEvent | VerifyProgress;

/** What an order is given, in the child. */
export interface OrderContext {
  /** Its disk is watched: the parent learns of a call that does not return. */
  readonly host: Host;
  readonly settings: SnapshotSettings;
  readonly emit: (event: TargetEvent) => void;
  /** Hands something to the parent; resolves when it may have more. */
  readonly give: (item: unknown) => Promise<void>;
  /** Hands bytes to the parent, by one of the pipes, in order; resolves when it may have more. */
  readonly pour: (pieces: readonly Buffer[], pipe: number) => Promise<void>;
  /** What the parent tells while the order is carried out, from the first on. */
  readonly listen: (onTold: (told: unknown) => void) => void;
  readonly signal: AbortSignal;
  /** Argon2 in a process of its own. */
  readonly stretch: Stretch;
}
