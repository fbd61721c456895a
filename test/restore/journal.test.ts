import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import type { Backup } from '../../src/restore/backup.ts';
import { JournalBook } from '../../src/restore/book.ts';
import { findJournals, writeJournal, readJournals } from '../../src/restore/journal.ts';
import type { Cluster, OffsetToCommit } from '../../src/kafka/kafka.ts';
import { pinAnew } from '../../src/restore/pin-anew.ts';
import { requestHash, type RestoreRequest } from '../../src/restore/restore.ts';
import { journal } from './journals.ts';

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

test('the target tells a lost journal again, and under which producer id each partition is written', async () => {
  const kept: OffsetToCommit[] = [];
  const fake = {
    commitOffsets: async (_group: string, rows: readonly OffsetToCommit[]) => {
      kept.splice(0, kept.length, ...rows);
      return rows.map(({ topic, partition }) => ({ topic, partition, errorCode: 0 }));
    },
    groupNames: async () => [`varve-restore-${journal.id}`, 'other'],
    committedOffsets: async () => kept,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a journal asks for nothing else
  const cluster = fake as unknown as Cluster;
  const { signal } = new AbortController();
  const book = new JournalBook(journal, { host: systemHost, cluster, localFolder: undefined, signal });
  await book.begin('copy', { topicId: 'b', starts: new Map([[1, 3n]]) });
  await book.renew('copy', 1, { producerId: 2n ** 41n, producerEpoch: 4 });

  const [found] = await findJournals(cluster, { known: new Set(), signal });
  expect(found).toEqual({ ...book.journal, groups: [] });
  if (found === undefined) throw new Error('expected a journal');
  const again = new JournalBook(found, { host: systemHost, cluster, localFolder: undefined, signal });
  expect(again.identityOf('copy', 0)).toEqual({ producerId: 2n ** 40n, producerEpoch: 1 });
  expect(again.identityOf('copy', 1)).toEqual({ producerId: 2n ** 41n, producerEpoch: 4 });
});

test('a restore whose target cannot be told that it is finished is unfinished on the local disk as well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'varve-journal-'));
  await using cleaning = new AsyncDisposableStack();
  cleaning.defer(async () => rm(folder, { recursive: true }));
  let errorCode = 0;
  const fake = {
    commitOffsets: async (_group: string, rows: readonly OffsetToCommit[]) =>
      rows.map(({ topic, partition }) => ({ topic, partition, errorCode })),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a journal asks for nothing else
  const cluster = fake as unknown as Cluster;
  const { signal } = new AbortController();
  const ports = { host: systemHost, cluster, localFolder: folder, signal };
  await new JournalBook(journal, ports).again('copy');

  errorCode = 30; // GROUP_AUTHORIZATION_FAILED
  const refused = new JournalBook(journal, ports).finish(9, new Set());
  await expect(refused).rejects.toMatchObject({ code: 'kafka-refused' });
  expect(await readJournals(systemHost, folder)).toMatchObject([{ id: journal.id, finishedMs: null }]);
  errorCode = 0;
  await new JournalBook(journal, ports).finish(9, new Set());
  expect(await readJournals(systemHost, folder)).toMatchObject([{ id: journal.id, finishedMs: 9 }]);
});

test('a topic that is emptied once more gets a fresh producer id, and the others of the restore keep theirs', async () => {
  const [other] = journal.topics;
  if (other === undefined) throw new Error('the journal has a topic');
  const mixed = { ...other, target: 'mixed', topicId: 'm', action: 'empty', state: 'planned' } as const;
  const fake = {
    metadata: async () => {
      const partitions = [0, 1].map((partition) => ({ partition, leaderId: 1 }));
      return { topics: [{ name: 'mixed', topicId: 'm', errorCode: 0, partitions }] };
    },
    listOffsets: async (questions: readonly { partition: number }[]) =>
      questions.map(({ partition }) => ({ partition, errorCode: 0, offset: 9n })),
    producerIdentity: async () => ({ producerId: 77n, producerEpoch: 0 }),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else is asked of it
  const cluster = fake as unknown as Cluster;
  const { signal } = new AbortController();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a backup that has saved everything
  const backup = { lives: async () => [] } as unknown as Backup;
  const pinned = await pinAnew(
    { ...journal, topics: [other, { ...mixed, isMixed: true }] },
    { ports: { cluster, clock: systemHost.clock, signal }, backup, request: { discardUnsaved: true } },
  );

  const book = new JournalBook(pinned, { host: systemHost, cluster, localFolder: undefined, signal });
  expect(book.partition('mixed', 1).start).toBe(9n);
  expect(book.identityOf('mixed', 1)).toEqual({ producerId: 77n, producerEpoch: 0 });
  expect(book.identityOf('copy', 1)).toEqual({ producerId: 2n ** 40n, producerEpoch: 1 });
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
