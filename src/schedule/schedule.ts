/**
 * Pure calendar arithmetic: which month a batch belongs to, which moment an operator means, when a cycle is due, and
 * which snapshots and months are kept.
 *
 * It promises the same answer for the same arguments, whatever their order, and a reason with every decision that
 * lets something go. It never looks at a clock: the time is always an argument. It never carries a plan out.
 */
export {
  keptUntil,
  planArchive,
  type ArchivePlan,
  type ArchivePolicy,
  type Keep,
  type KeptPack,
} from './archive.ts';
export {
  dueState,
  nextDue,
  overdueGraceMs,
  settledAt,
  type Due,
  type DueFacts,
  type Timetable,
} from './due.ts';
export {
  clockLeap,
  isAhead,
  isFuture,
  latestNow,
  takenAt,
  type Hold,
  type HoldKind,
  type RotationFacts,
} from './holds.ts';
export { monthAt, monthOfBatch, monthText, parseMonth, startOfMonthMs, type Month } from './month.ts';
export {
  planRetention,
  type RetainDecision,
  type RetainedSnapshot,
  type RetainPlan,
  type RetainPolicy,
  type RetainReason,
} from './retain.ts';
export { parseTime, timeText, type ParsedTime } from './time.ts';
export { viewsOf, type View } from './views.ts';
