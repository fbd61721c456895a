import { VarveError } from '../errors.ts';

/**
 * - `foreign-object`: the head is not that of the object asked for: another name, kind, instance, repository or key, or
 *   bytes of the head that changed.
 * - `block-damaged`: a block is not what was sealed, or not at the place where it was sealed.
 * - `truncated`: the object stops before its last block ends.
 * - `trailing`: something follows the last block.
 */
export type DamageReason = 'foreign-object' | 'block-damaged' | 'truncated' | 'trailing';

/** Damage of something sealed, and of which sort. */
export class SealedDamage extends VarveError {
  readonly reason: DamageReason;

  constructor(reason: DamageReason, message: string, cause?: unknown) {
    super('damage', message, { hint: hints[reason], cause });
    this.reason = reason;
  }
}

const hints = {
  'foreign-object':
    'restore the file under its own name from another copy of the repository, then run verify',
  'block-damaged': 'restore the file from another copy of the repository, then run verify',
  truncated: 'restore the whole file from another copy of the repository, then run verify',
  trailing: 'restore the file from another copy of the repository, then run verify',
} satisfies Record<DamageReason, string>;
