/**
 * The child process in which alone the repository is reached, and the orders it takes.
 *
 * It promises: a target that hangs holds up neither the parent's event loop nor its end, and is told as
 * `target-unusable`; no secret is ever in an argument or in the environment of a process; a child ends with its parent.
 * The parent side never touches anything below the repository's folder.
 */
export { runOrder, type Order, type OrderName, type OrderParams, type OrderResult } from './ask.ts';
export type { TargetEvent } from './context.ts';
export type { ExpireResult, ExpireStep } from './changing.ts';
export type { SheetContent } from './keeping.ts';
export type { SnapshotChoice, SnapshotDetail } from './looking.ts';
export { ReadingSession } from './session.ts';
