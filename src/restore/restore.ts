/**
 * Putting topics back: what is to be done is planned purely and shown before anything is written; then it is done so
 * that the same command goes on after anything, no record comes twice, and the end is compared with the backup.
 *
 * It promises: everything that can be refused is refused before the first change; an offset of a group is set only
 * where all records before it were restored and compared; no topic and no group outside of the plan is touched.
 * It never decodes a record that can be taken as it is, never touches the repository (its copies are handed in), and
 * never prints.
 */
export type { BackedUpPartition, Backup, Copy, Life, Range, ReadRange, UsedSnapshot } from './backup.ts';
export { Cutter, Ranks, type CutCounts } from './cut.ts';
export { readMerged } from './merge.ts';
export { clipStretches, planStretches, type Stretch, type Stretches } from './stretches.ts';
export { findSources, scanSources, type Claimed } from './sources.ts';
export { patiently } from './patience.ts';
export { deleteTopic, lookAt } from './target-topic.ts';
export { chooseLife, chooseTopics, unknownTopic } from './choose.ts';
export { requestHash, type RestoreRequest } from './request.ts';
export { planTopic, type PartitionPlan, type RestorePlan, type TopicPlan } from './plan.ts';
export { planGroups, type ActiveGroup, type GroupPlan } from './group-plan.ts';
export { newRestoreId, readJournals, restoresFolder, writeJournal, type Journal } from './journal.ts';
export { runRestore, type RestoreOptions, type RestorePorts } from './run.ts';
export { planRollbackOf, rollBack, type RollbackPlan } from './rollback.ts';
export type { RestoreReport, TopicReport, GroupReport } from './report.ts';
export { newProgress, type RestoreProgress } from './progress.ts';
