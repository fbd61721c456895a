import type { DaemonEvent } from '../../src/observe/observe.ts';

type Named<Type> = Extract<DaemonEvent, { type: Type }>;

/** One event of each name, with the same text wherever a name or an error comes from outside. */
export function everyEvent(text: string): readonly DaemonEvent[] {
  const at = { topic: text, topicId: text, partition: 0 };
  const events = {
    started: { type: 'started', ...at, offset: 2n ** 60n, from: 'earliest' },
    repaired: { type: 'repaired', ...at, repair: { kind: 'damaged-file', path: text, problem: text } },
    gap: { type: 'gap', ...at, from: 2n ** 60n, to: 2n ** 60n + 1n },
    truncated: { type: 'truncated', ...at, offset: 5n, epoch: 2 },
    'partition-stopped': { type: 'partition-stopped', ...at, reason: 'damaged', message: text },
    'partition-retried': { type: 'partition-retried', ...at, message: text },
    'topic-gone': { type: 'topic-gone', ...at },
    'open-transaction': { type: 'open-transaction', ...at, from: 1n, to: 2n },
    'cut-missed': { type: 'cut-missed', ...at },
    'topic-refused': { type: 'topic-refused', topic: text, message: text },
    cut: { type: 'cut', partitions: 3, pauseMs: 1 },
    committed: { type: 'committed', partitions: 3 },
    'commit-failed': { type: 'commit-failed', message: text },
    'disk-refused': { type: 'disk-refused', message: text, isFull: false },
    'space-low': { type: 'space-low', freeBytes: 1, minFreeBytes: 2 },
    'space-back': { type: 'space-back', freeBytes: 3 },
    'broker-lost': { type: 'broker-lost', brokerId: 1, message: text },
    'broker-back': { type: 'broker-back', brokerId: 1 },
    'metadata-failed': { type: 'metadata-failed', message: text },
    'drill-began': { type: 'drill-began', dueMs: 0 },
    'drill-warned': { type: 'drill-warned', message: text },
    'drill-ended': {
      type: 'drill-ended',
      snapshot: text,
      passed: false,
      code: 'damage',
      message: text,
      hint: text,
      topics: 1,
      records: 2,
      bytes: 3,
      tookMs: 4,
    },
    'drill-failed': { type: 'drill-failed', code: 'failed', message: text, hint: text },
    'cycle-began': { type: 'cycle-began', trigger: 'schedule', missedMs: 0 },
    'cycle-phase': { type: 'cycle-phase', phase: 'seal' },
    'cycle-progress': { type: 'cycle-progress', doneBytes: 1, totalBytes: 2 },
    'cycle-warned': { type: 'cycle-warned', message: text },
    'cycle-ended': { type: 'cycle-ended', report: reportWith(text) },
    'cycle-failed': { type: 'cycle-failed', code: 'failed', message: text, hint: text },
    'segment-damaged': { type: 'segment-damaged', topic: text, partition: 0, path: text, problem: text },
    'pack-damaged': { type: 'pack-damaged', pack: text, problem: text },
    repacked: { type: 'repacked', report: repackedWith(text) },
    'verify-progress': { type: 'verify-progress', readBytes: 1, totalBytes: 2 },
  } satisfies { readonly [Type in DaemonEvent['type']]: Named<Type> };
  return Object.values(events);
}

function reportWith(text: string): Named<'cycle-ended'>['report'] {
  return {
    id: '20261121T030000Z-abcd',
    seq: 1,
    repository: 'r',
    takenMs: 0,
    tookMs: 1,
    phasesMs: {},
    partitions: 1,
    segments: 1,
    rawBytes: 1,
    newBytes: 1,
    newPacks: 1,
    linkedBytes: 0,
    linkedPacks: 0,
    copiedBytes: 0,
    copiedPacks: 0,
    expired: [],
    held: [{ kind: 'damage', text }],
    vanishedTopics: [text],
    damaged: [{ what: text, problem: text }],
    warnings: [text],
    freedSegments: 0,
    freedBytes: 0,
    settingsAgeMs: null,
    verified: true,
    targetFreeBytes: 1,
    finding: null,
  };
}

function repackedWith(text: string): Named<'repacked'>['report'] {
  return {
    base: '20261121T030000Z-abcd',
    snapshot: '20261121T040000Z-abcd',
    months: [{ month: '2026-10', packsBefore: 30, packsAfter: 1, bytes: 5 }],
    packsBefore: 31,
    packsAfter: 2,
    readBytes: 10,
    writeBytes: 5,
    olderSnapshots: 1,
    warnings: [text],
  };
}
