import type { Journal } from '../../src/restore/journal.ts';

export const journal: Journal = {
  format: 1,
  id: '20261121T120000Z-1a2b',
  request: 'abc',
  command: 'varve restore --topic orders',
  startedMs: 5,
  finishedMs: null,
  cluster: 'k3PN8zE1QCa7mL0rT5wXyA',
  producerId: 2n ** 40n,
  producerEpoch: 1,
  snapshots: [{ instance: 'main', id: '20261101T030000Z-1a2b' }],
  incomplete: ['as accepted'],
  topics: [
    {
      source: 'orders',
      sourceId: 'a',
      target: 'copy',
      action: 'create',
      oldId: null,
      topicId: 'b',
      partitionCount: 2,
      replicationFactor: -1,
      temporary: [['retention.ms', '-1']],
      final: [],
      effective: [],
      state: 'writing',
      partitions: [
        { partition: 0, start: 0n, ranges: [], end: null },
        { partition: 1, start: 3n, ranges: [{ from: 7n, to: 2n ** 60n }], end: null },
      ],
    },
  ],
  groups: [
    { group: 'g', to: 'saved', offsets: [{ target: 'copy', partition: 1, sourceOffset: 9n, metadata: 'm' }] },
  ],
};
