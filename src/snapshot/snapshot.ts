/**
 * From closed local segments to published snapshots, and back: the cycle, and reading what it published.
 *
 * It promises: a snapshot appears whole or not at all; whatever fails, the ones before it stay as they are and no local
 * segment is let go of that no checked snapshot holds; what expires is planned first, with a reason each.
 * It runs in the child process, where a target that hangs hurts nobody. It never asks Kafka and logs nothing.
 */
export { runCycle } from './cycle.ts';
export { carryPacks } from './carry.ts';
export { findRollback, openCatalog, type Catalog } from './base.ts';
export { exportSnapshot, type ExportReport } from './export.ts';
export type { CycleEvent, CyclePhase, CyclesEvent, EmitCycle, Trigger } from './events.ts';
export type { CyclePorts } from './ground.ts';
export type { CutPartition } from './plan.ts';
export type { PublishStep } from './publish.ts';
export type { CycleReport, CycleRequest, SeenTopic, SnapshotSettings } from './request.ts';
export { Checks, planRotation, retained, standingDamage } from './rotate.ts';
export {
  chooseSnapshot,
  overviewOf,
  topicsOf,
  type DrillRow,
  type Overview,
  type PackReads,
  type ProblemRow,
  type SnapshotRow,
  type TopicRow,
} from './overview.ts';
export { repackSnapshot, type RepackReport, type RepackRequest } from './repack.ts';
export { SnapshotSource } from './source.ts';
export { strataOf, type LayeredSnapshot, type LayeredTopic, type Layers, type Strata } from './strata.ts';
export {
  verifyRepository,
  type Subset,
  type Verification,
  type VerifyFinding,
  type VerifyLevel,
  type VerifyProgress,
  type VerifyReport,
} from './verify.ts';
