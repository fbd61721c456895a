/** What parent and child say to each other. They are the same program, so neither checks the other's shapes. */
import type { SnapshotSettings } from '../snapshot/snapshot.ts';
import type { TargetEvent } from './context.ts';

/**
 * Where the child pours out bytes for its parent. A pipe takes some hundred KB at a time: several are filled while the
 * child is busy with the next piece.
 */
export const pouredFds = [4, 5, 6, 7] as const;

export type ToChild =
  /** What is coming: the child makes ready for it. */
  | { readonly kind: 'load'; readonly order: string }
  | {
      readonly kind: 'order';
      readonly order: string;
      readonly params: unknown;
      readonly settings: SnapshotSettings;
    }
  | { readonly kind: 'taken' }
  /** Something more for an order that goes on asking. */
  | { readonly kind: 'tell'; readonly told: unknown }
  | { readonly kind: 'abort' };

export type FromChild =
  | { readonly kind: 'event'; readonly event: TargetEvent }
  | { readonly kind: 'item'; readonly item: unknown }
  /** How long the oldest call to the target has been under way; sent about once a second. */
  | { readonly kind: 'alive'; readonly pendingMs: number; readonly call: string | undefined }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: ToldError };

/** An error on its way to another process. */
export interface ToldError {
  readonly code: string | undefined;
  /** The operating system's, where it is one of its own. */
  readonly system: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}
