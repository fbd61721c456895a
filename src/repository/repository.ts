/**
 * The target: layout, keys, packs, manifests, lock, marks, views and trash of a repository.
 *
 * It promises: nothing is ever written through a name that exists; after a link or a rename that failed it looks before
 * it judges; nothing that is parsed is believed before it is authentic and within its bounds; what fails is named by
 * what it is: no repository, a wrong key, damage, a lock, a target that cannot be used.
 * It reaches the target only through the disk that it is given, and runs in the child process alone. It holds no rule
 * about what is sealed, kept or let go of.
 */
export {
  listSnapshots,
  openManifest,
  asHead,
  openBase,
  openManifestHead,
  type OpenedHead,
  type OpenedManifest,
} from './catalog.ts';
export {
  findRepository,
  readRepositoryIdentity,
  writeRepositoryIdentity,
  type RepositoryIdentity,
} from './identity.ts';
export {
  assertInstance,
  ensureInstance,
  firstSlot,
  initRepository,
  listInstances,
  sharesPacks,
  type InitResult,
} from './init.ts';
export { addContentKey, removeSlot, writeSlot } from './key-changes.ts';
export { copyKeys } from './key-copy.ts';
export { recoverKeys } from './key-recovery.ts';
export { lookAtKeys, readCopies, type KeyProblem } from './key-watch.ts';
export { listSlots, slotFiles, type SlotFile } from './keys.ts';
export {
  keysFolder,
  packName,
  packPath,
  packsFolder,
  repositoryFileName,
  sharedPrefix,
  snapshotFolder,
  snapshotIdAt,
  snapshotsFolder,
  stagingFolder,
  stagingRoot,
  timeOfSnapshotId,
  type RepositoryPlace,
} from './layout.ts';
export { copyFile } from './copy.ts';
export { lengthProblem } from './length.ts';
export { isLinkRefused, linkObstacle, linkRefused, linkSettled, sharingText } from './links.ts';
export {
  acquireLock,
  assertOwned,
  breakLock,
  readLock,
  type LockHolder,
  type RepositoryLock,
} from './lock.ts';
export {
  formatManifest,
  savedGroupsJson,
  type CoverageRow,
  type ExpiredSegment,
  type IncarnationRow,
  type Manifest,
  type ManifestHead,
  type Pack,
  type PartitionRow,
  type SavedGroup,
  type SavedGroups,
  type SealedRange,
  type TopicSettings,
} from './manifest.ts';
export { savedGroupsShape, topicSettingsShape } from './manifest-shape.ts';
export { nextAccess, type SavedAccess } from './access.ts';
export {
  readMarks,
  sweepMarks,
  writeMark,
  type DrillMark,
  type DrillResult,
  type MarkFile,
  type Marks,
} from './marks.ts';
export { obsoleteMarks } from './obsolete-marks.ts';
export { readMemory, writeMemory, type Memory } from './memory.ts';
export { Repository } from './open.ts';
export { formatIndex, indexMemberName, type IndexedBlock, type IndexedSegment } from './pack-index.ts';
export { openPack, openSegmentBlocks, readIndex } from './pack-reader.ts';
export { PackWriter, SentCheck, type WrittenPack } from './pack-writer.ts';
export { probeTarget, type ProbeFinding } from './probe.ts';
export { listSharedPacks, sweepPacks } from './shared-packs.ts';
export { withOwners } from './owners.ts';
export { parseKeyFile, readSecret, secretOf, type RepositorySecret } from './secret.ts';
export {
  createFile,
  ignoring,
  readPastCache,
  readWhole,
  type ReadBack,
  removeTree,
  renameSettled,
  syncFolder,
} from './steps.ts';
export { tarEnd, tarHeader, tarPadding } from './tar.ts';
export { beginCopy, finishCopy, isUnfinished, removeUnfinished } from './unfinished.ts';
export { orUnmounted } from './unmounted.ts';
export { moveToTrash, purgeTrash, rebuildViews, sweepStaging, targetNowMs } from './upkeep.ts';
