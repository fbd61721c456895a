import type { CycleReport } from '../snapshot/snapshot.ts';

/** What a cycle did, for programs: times as RFC 3339. */
export type SnapshotDocument = Omit<CycleReport, 'durable' | 'takenMs'> & { readonly taken: string };

export function snapshotDocument(report: CycleReport): SnapshotDocument {
  const { durable: _durable, takenMs, ...rest } = report;
  return { ...rest, taken: new Date(takenMs).toISOString() };
}
