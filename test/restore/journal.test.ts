import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import { writeJournal, readJournals, type Journal } from '../../src/restore/journal.ts';
import { requestHash, type RestoreRequest } from '../../src/restore/restore.ts';

const journal: Journal = {
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
      partitions: [{ partition: 1, start: 3n, ranges: [{ from: 7n, to: 2n ** 60n }], end: null }],
    },
  ],
  groups: [
    { group: 'g', to: 'saved', offsets: [{ target: 'copy', partition: 1, sourceOffset: 9n, metadata: 'm' }] },
  ],
};

test('a journal is read as it was written, the newest last; what is none is damage', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-journal-'));
  try {
    // Of the same second, and by name before it.
    const later = {
      ...journal,
      id: '20261121T120000Z-0000',
      startedMs: journal.startedMs + 1,
      finishedMs: 9,
    };
    await writeJournal(systemHost, folder, later);
    await writeJournal(systemHost, folder, journal);
    expect(await readJournals(systemHost, folder)).toEqual([journal, later]);
    expect((await readdir(join(folder, 'restores'))).toSorted()).toEqual([
      `${later.id}.json`,
      `${journal.id}.json`,
    ]);
    await writeFile(join(folder, 'restores', 'x.json'), '{"format":1}');
    await expect(readJournals(systemHost, folder)).rejects.toMatchObject({ code: 'damage' });
    expect(await readJournals(systemHost, undefined)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the same request is the same restore; leave to go on is no part of it, everything else is', () => {
  const request: RestoreRequest = {
    topics: ['orders'],
    allTopics: false,
    excludeTopics: [],
    fromMs: 1n,
    toMs: undefined,
    partitions: [],
    toTopic: undefined,
    map: [],
    incarnation: undefined,
    snapshot: undefined,
    instance: undefined,
    localOnly: false,
    mode: 'create',
    groups: 'default',
    groupsTo: 'saved',
    skipActiveGroups: false,
    acceptMissing: false,
    discardUnsaved: false,
    salvage: false,
    replicationFactor: undefined,
    repartition: undefined,
    topicConfigs: [],
    applyRetention: false,
  };
  const hash = requestHash(request, 'c');
  expect(requestHash({ ...request, salvage: true, acceptMissing: true }, 'c')).toBe(hash);
  expect(requestHash({ ...request, skipActiveGroups: true, discardUnsaved: true }, 'c')).toBe(hash);
  const changed: RestoreRequest[] = [
    { ...request, fromMs: 2n },
    { ...request, toMs: 2n },
    { ...request, mode: 'append' },
    { ...request, groups: 'none' },
    { ...request, topics: ['orders', 'b'] },
    { ...request, partitions: [1] },
  ];
  const hashes = new Set([hash, requestHash(request, 'd'), ...changed.map((one) => requestHash(one, 'c'))]);
  expect(hashes.size).toBe(changed.length + 2);
});
