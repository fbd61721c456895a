/** How far a restore has come: looked at whenever somebody wants to know. */
export interface RestoreProgress {
  phase: 'reading' | 'preparing' | 'writing' | 'groups' | 'settings' | 'done';
  /** Of the source, while everything is read before anything is written. */
  scannedRecords: number;
  ackedRecords: number;
  ackedBytes: number;
  comparedRecords: number;
  /** At most so many. */
  totalRecords: number;
}

export function newProgress(): RestoreProgress {
  return {
    phase: 'reading',
    scannedRecords: 0,
    ackedRecords: 0,
    ackedBytes: 0,
    comparedRecords: 0,
    totalRecords: 0,
  };
}
