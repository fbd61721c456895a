/**
 * A restore that is rehearsed: the newest snapshot, or a sample of it, is restored into scratch topics, compared, and
 * the topics deleted again; or, without a broker, opened and checked. What it came to is noted in the repository.
 *
 * It promises: damage fails it and is never passed over; a topic is deleted only where its own journal says that it
 * made it, also after a crash; two drills of one installation never run at once; what it took is told.
 * It restores by the restore room and reads by the sources: it has no way of its own to do either.
 */
export { readLastDrill } from './folder.ts';
export type { DrillReport } from './report.ts';
export type { DrillRequest } from './ports.ts';
export { runDrill } from './run.ts';
export { planSample, type Candidate } from './sample.ts';
