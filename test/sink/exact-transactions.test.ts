import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JavaClient, type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup, createTopic } from './backup.ts';

let kafka: Kafka;
let java: JavaClient;
beforeAll(async () => {
  kafka = await startKafka();
  java = await kafka.java();
});
afterAll(() => kafka.stop());

test('of committed, aborted and interleaved transactions exactly the committed records are saved', async () => {
  await createTopic(java, { topic: 'mixed', partitions: 2 });
  for (const transactionalId of ['mixed-a', 'mixed-b']) await java.beginTransaction({ transactionalId });
  const write = async (transactionalId: string, word: string) =>
    java.produce({ topic: 'mixed', transactionalId, records: both(word) });
  await write('mixed-a', 'a 1');
  await write('mixed-b', 'b 1');
  await java.produce({ topic: 'mixed', records: both('plain, between') });
  await write('mixed-a', 'a 2');
  await java.abortTransaction('mixed-a');
  await java.beginTransaction({ transactionalId: 'mixed-a' });
  // The same producer, aborted a moment ago, now commits: a filter by producer alone would lose this.
  await write('mixed-a', 'a 3');
  await write('mixed-b', 'b 2');
  await java.commitTransaction('mixed-a');
  await java.commitTransaction('mixed-b');
  await java.beginTransaction({ transactionalId: 'mixed-a' });
  await write('mixed-a', 'a 4');
  await java.abortTransaction('mixed-a');
  await using backup = await Backup.of(kafka, { include: ['mixed'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0, openTransactions: [] });
  // In two partitions: b 1, plain, a 3, b 2.
  expect(await backup.expectExact('mixed')).toBe(8);
});

test("a user's keys and values that look like markers are records like any other", async () => {
  await createTopic(java, { topic: 'markers' });
  const abort = Buffer.from([0, 0, 0, 0]);
  const commit = Buffer.from([0, 0, 0, 1]);
  const coordinator = Buffer.from([0, 0, 0, 0, 0, 7]);
  const records = [abort, commit].flatMap((key) => [
    { key, value: coordinator },
    { key, value: null },
  ]);
  for (const outcome of ['commit', 'abort', 'commit'] as const) {
    await java.beginTransaction({ transactionalId: 'markers' });
    await java.produce({ topic: 'markers', records });
    await java.produce({ topic: 'markers', transactionalId: 'markers', records });
    await java.produce({ topic: 'markers', records: [{ key: abort, value: coordinator }] });
    await java.produce({ topic: 'markers', transactionalId: 'markers', records });
    await (outcome === 'commit' ? java.commitTransaction('markers') : java.abortTransaction('markers'));
  }
  await using backup = await Backup.of(kafka, { include: ['markers'] });
  expect(await backup.catchUp()).toMatchObject({ status: 0 });
  expect(await backup.expectExact('markers')).toBe(3 * 5 + 2 * 8);
});

test('an open transaction is named, is no failure, holds up no other partition, and its tail comes later', async () => {
  for (const topic of ['open-held', 'open-free']) await createTopic(java, { topic, partitions: 2 });
  const transactionalId = 'open';
  await java.produce({ topic: 'open-held', records: [{ value: 'before' }] });
  await java.beginTransaction({ transactionalId });
  await java.produce({ topic: 'open-held', transactionalId, records: [{ value: 'inside' }] });
  await java.produce({
    topic: 'open-held',
    records: [{ value: 'behind' }, { partition: 1, value: 'beside' }],
  });
  await java.produceLoad({ topic: 'open-free', records: 5000, size: 100, partitions: 2 });
  await using backup = await Backup.of(kafka, { include: ['open-*'] });
  const held = { topic: 'open-held', partition: 0, from: '1', to: '3' };
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 5002, openTransactions: [held] });
  expect(await backup.expectExact('open-held')).toBe(2);
  expect(await backup.expectExact('open-free')).toBe(5000);
  const told = await backup.run('backup', '--no-snapshot');
  expect(told.status).toBe(0);
  expect(told.stdout).toContain('open-held/0 from offset 1');
  await java.commitTransaction(transactionalId);
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 2, openTransactions: [] });
  expect(await backup.expectExact('open-held')).toBe(4);
});

test('transactions that span many fetches and several backups are exact', async () => {
  await createTopic(java, { topic: 'spanning', partitions: 2 });
  const options = { include: ['spanning'], inFlightBytes: '1MiB', segmentBytes: '700KiB' };
  await using backup = await Backup.of(kafka, options);
  // Two producers at once; each line is the outcomes of their transactions in this round, ended in this order.
  const rounds = [
    ['commit', 'abort'],
    ['abort', 'abort'],
    ['abort', 'commit'],
    ['commit', 'commit'],
  ] as const;
  for (const outcomes of rounds) {
    for (const id of ['span-0', 'span-1']) await java.beginTransaction({ transactionalId: id });
    // Larger than the memory in flight by far, so that no fetch sees a transaction's beginning and its end.
    for (let batch = 0; batch < 40; batch++) {
      await java.produce({ topic: 'spanning', ...writer(batch % 3), records: large(batch) });
      if (batch === 20) expect(await backup.catchUp()).toMatchObject({ status: 0 });
    }
    for (const [index, outcome] of outcomes.entries()) {
      const id = `span-${index}`;
      await (outcome === 'commit' ? java.commitTransaction(id) : java.abortTransaction(id));
      if (index === 0) expect(await backup.catchUp()).toMatchObject({ status: 0 });
    }
  }
  expect(await backup.catchUp()).toMatchObject({ status: 0, openTransactions: [] });
  await backup.expectExact('spanning');
  // From the beginning, killed on the way again and again, the same.
  await using whole = await Backup.of(kafka, options);
  for (const bytes of [100_000, 2_000_000, 4_000_000]) {
    expect(await whole.killedBehind(bytes)).toBe('SIGKILL');
  }
  expect(await whole.catchUp()).toMatchObject({ status: 0 });
  // Of 40 batches a round the first producer writes 14, the second 13, the one without transactions 13.
  const batches = 2 * 14 + 2 * 13 + 4 * 13;
  expect(await whole.expectExact('spanning')).toBe(batches * 8);
});

test('hundreds of small transactions of four producers, ended in any order, are exact at every stop', async () => {
  await createTopic(java, { topic: 'small', partitions: 3 });
  await using backup = await Backup.of(kafka, { include: ['small'], inFlightBytes: '1MiB' });
  const seed = process.env['VARVE_SEED'] ?? randomBytes(4).toString('hex');
  const next = numbers(seed);
  const open = new Set<string>();
  for (let step = 0; step < 500; step++) {
    const id = `small-${next(4)}`;
    if (!open.has(id)) {
      await java.beginTransaction({ transactionalId: id });
      open.add(id);
    }
    const records = Array.from({ length: 1 + next(5) }, () => ({
      partition: next(3),
      value: `${id} ${step}`,
    }));
    await java.produce({ topic: 'small', records, ...(next(5) === 0 ? {} : { transactionalId: id }) });
    if (next(3) === 0) {
      await (next(2) === 0 ? java.commitTransaction(id) : java.abortTransaction(id));
      open.delete(id);
    }
    if (step % 125 === 124) await expectSaved(backup, { seed, step });
  }
  for (const id of open) await java.abortTransaction(id);
  expect(await expectSaved(backup, { seed, step: 'last' })).toBeGreaterThan(100);
});

function both(word: string): { partition: number; key: string; value: string }[] {
  return [0, 1].map((partition) => ({ partition, key: word, value: word }));
}

async function expectSaved(backup: Backup, at: { seed: string; step: number | 'last' }): Promise<number> {
  try {
    expect(await backup.catchUp()).toMatchObject({ status: 0 });
    return await backup.expectExact('small');
  } catch (cause) {
    throw new Error(`seed ${at.seed}, step ${at.step}`, { cause });
  }
}

/** Who writes: one of two transactions, or a producer without one. */
function writer(index: number): { transactionalId?: string } {
  return index === 2 ? {} : { transactionalId: `span-${index}` };
}

function large(batch: number): { partition: number; key: string; value: Buffer }[] {
  return Array.from({ length: 8 }, (_, index) => ({
    partition: index % 2,
    key: `${batch} ${index}`,
    value: randomBytes(12_000),
  }));
}

/** Whole numbers below a limit, the same for the same seed. */
function numbers(seed: string): (limit: number) => number {
  let state = Number.parseInt(seed, 16);
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
