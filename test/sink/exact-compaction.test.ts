import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JavaClient, type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup, brokerLog, createTopic } from './backup.ts';

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka({ properties: { 'log.cleaner.backoff.ms': '100' } });
  java = await kafka.java();
});
afterAll(() => kafka.stop());

/** What makes the cleaner come at once: every append rolls the file before it, and a single stale record is dirt enough. */
const compacted = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.001',
  'min.compaction.lag.ms': '0',
  'segment.ms': '100',
  'delete.retention.ms': '0',
};

test('of a compacted log with holes and empty batches every record that is left is saved, and no other', async () => {
  await createTopic(java, { topic: 'holes', configs: compacted });
  // Each call is a producer of its own: of its last batch a shell stays even when no record in it does.
  await produceKeys('holes', { from: 0, to: 300, word: 'a' });
  await produceKeys('holes', { from: 0, to: 100, word: 'b' });
  await produceKeys('holes', { from: 0, to: 200, word: 'c' });
  await produceKeys('holes', { from: 50, to: 60, word: null });
  // a 200–299 (100), b none, c without the deleted (190).
  await compactedTo('holes', 290);
  const batches = headsOf(await brokerLog(kafka, 'holes'));
  expect(batches.filter(({ count }) => count === 0).length).toBeGreaterThan(0);
  expect(batches.some(({ count, offsets }) => count > 0 && count < offsets)).toBe(true);
  await using backup = await Backup.of(kafka, { include: ['holes'], inFlightBytes: '1MiB' });
  expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], missing: [] });
  expect(await backup.expectExact('holes')).toBeGreaterThanOrEqual(290);
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 0 });
});

test('what the cleaner removes between two backups stays saved, and what it left behind the first is saved once', async () => {
  await createTopic(java, { topic: 'between', configs: compacted });
  await using backup = await Backup.of(kafka, { include: ['between'] });
  await produceKeys('between', { from: 0, to: 200, word: 'a' });
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 200 });
  const early = await backup.lines('between');
  // The backup goes on in a hole: all of b is gone before it comes.
  await produceKeys('between', { from: 0, to: 200, word: 'b' });
  await produceKeys('between', { from: 0, to: 150, word: 'c' });
  await produceKeys('between', { from: 100, to: 200, word: 'd' });
  await compactedTo('between', 200);
  expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], missing: [] });
  const left = await java.consumeLines({ topic: 'between', isolation: 'read_committed' });
  expect(left.every((line) => !early.includes(line))).toBe(true);
  expect(await backup.lines('between')).toEqual([...early, ...left]);
});

test('of transactions in a compacted log what the cleaner leaves of the committed ones is saved', async () => {
  await createTopic(java, { topic: 'compacted-tx', configs: compacted });
  for (const [word, outcome] of [
    ['a', 'commit'],
    ['b', 'abort'],
    ['c', 'commit'],
    ['d', 'abort'],
  ] as const) {
    const transactionalId = `cleaned-${word}`;
    await java.beginTransaction({ transactionalId, lingerMs: 60_000, batchSize: 8000 });
    await produceKeys('compacted-tx', { from: 0, to: 100, word, transactionalId });
    await produceKeys('compacted-tx', { from: 50, to: 150, word: `${word} plain` });
    await produceKeys('compacted-tx', { from: 140, to: 300, word, transactionalId });
    await (outcome === 'commit'
      ? java.commitTransaction(transactionalId)
      : java.abortTransaction(transactionalId));
  }
  await compactedTo('compacted-tx', 400);
  await using backup = await Backup.of(kafka, { include: ['compacted-tx'], inFlightBytes: '1MiB' });
  expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], missing: [], openTransactions: [] });
  expect(await backup.expectExact('compacted-tx')).toBeGreaterThanOrEqual(300);
});

function headsOf(log: Buffer): { count: number; offsets: number }[] {
  const heads: { count: number; offsets: number }[] = [];
  for (let at = 0; at + 61 <= log.length; at += 12 + log.readInt32BE(at + 8)) {
    heads.push({ offsets: log.readInt32BE(at + 23) + 1, count: log.readInt32BE(at + 57) });
  }
  return heads;
}

async function produceKeys(
  topic: string,
  o: { from: number; to: number; word: string | null; transactionalId?: string },
): Promise<void> {
  const { from, to, word, transactionalId } = o;
  const records = Array.from({ length: to - from }, (_, index) => ({
    key: `key-${from + index}`,
    value: word === null ? null : `${word} ${from + index} `.repeat(20),
  }));
  const open = transactionalId === undefined ? {} : { transactionalId };
  await java.produce({ topic, records, lingerMs: 60_000, batchSize: 8000, ...open });
}

/** Writes a record of one key until the cleaner has left no more than so many others, then stops the cleaner. */
async function compactedTo(topic: string, recordsMax: number): Promise<void> {
  await expect
    .poll(
      async () => {
        await java.produce({ topic, records: [{ key: 'roll', value: 'x' }] });
        const rows = await java.consume({ topic, isolation: 'read_uncommitted' });
        return rows.filter(({ key }) => key !== rollKey).length;
      },
      { interval: 300 },
    )
    .toBeLessThanOrEqual(recordsMax);
  await java.alterConfigs({ topic, configs: { 'cleanup.policy': 'delete' } });
  // A round that had begun still ends: the log has come to rest when five looks in a row see the same.
  const looks: string[] = [];
  const look = async (): Promise<boolean> => {
    looks.push((await brokerLog(kafka, topic)).toString('base64'));
    return looks.length > 5 && new Set(looks.slice(-5)).size === 1;
  };
  await expect.poll(look, { interval: 300 }).toBe(true);
}

const rollKey = Buffer.from('roll').toString('base64');
