import { appendFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import { positionOf, readCoverage, readPartition } from '../../src/local/local.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';
import { append, batch, november, openLog, orders, place, readAll } from './given.ts';

/** `<month>/<file>` in order, with their lengths. */
async function filesIn(folder: string): Promise<[string, number][]> {
  const partition = join(folder, 'topics', orders.topic, orders.topicId, '0');
  const names = (await readdir(partition, { recursive: true })).filter((name) => name.endsWith('.log'));
  return await Promise.all(
    names.toSorted().map(async (name): Promise<[string, number]> => {
      return [name, (await readFile(join(partition, name))).length];
    }),
  );
}

async function pathOf(folder: string, name: string): Promise<string> {
  return join(folder, 'topics', orders.topic, orders.topicId, '0', name);
}

const fileAt = (base: number, month = '2026-11'): string => `${month}/${String(base).padStart(20, '0')}.log`;

const timeOf = (text: string): bigint => BigInt(Date.parse(text));

test('a segment never grows above its limit, unless one batch alone does', async () => {
  await using at = await place();
  await using log = await openLog(at.folder, { segmentBytes: 250 });
  const batches = [batch(0n), batch(1n), batch(2n), batch(3n, { byteLength: 400 }), batch(4n)];

  await append(log, batches);
  await log.sync();

  expect(await filesIn(at.folder)).toEqual([
    [fileAt(0), 200],
    [fileAt(2), 100],
    [fileAt(3), 400],
    [fileAt(4), 100],
  ]);
  expect(await readAll(at.folder)).toEqual(Buffer.concat(batches));
});

test('a month that changes and a cut begin a new file; an older record follows the month so far', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);

  await append(log, [
    batch(0n, { maxTimestamp: timeOf('2026-09-30T23:59:59.999Z') }),
    batch(1n, { maxTimestamp: timeOf('2026-10-01T00:00:00Z') }),
    batch(2n, { maxTimestamp: timeOf('2026-03-01T00:00:00Z') }),
    batch(3n, { maxTimestamp: -1n }),
  ]);
  await log.cut();
  await append(log, [batch(4n, { maxTimestamp: 2n ** 63n - 1n })]);
  await log.cut();
  await log.cut();
  await append(log, [batch(5n)]);
  await log.sync();

  expect(await filesIn(at.folder)).toEqual([
    [fileAt(0, '2026-09'), 100],
    [fileAt(1, '2026-10'), 300],
    [fileAt(4), 100],
    [fileAt(5), 100],
  ]);
});

test('the month is recovered from the folders: it does not go back with a clock that stepped back', async () => {
  await using at = await place();
  await using first = await openLog(at.folder);
  await append(first, [batch(0n)]);
  await first.sync();

  await using log = await openLog(at.folder, { nowMs: november - 90 * 86_400_000 });
  await append(log, [batch(1n)]);
  await log.sync();

  expect((await filesIn(at.folder)).map(([name]) => name)).toEqual([fileAt(0), fileAt(1)]);
});

test('opened again without a goodbye: every batch is there once, and a new file begins', async () => {
  await using at = await place();
  const batches = [batch(0n), batch(1n, { count: 5 }), batch(6n)];
  await using first = await openLog(at.folder);
  await append(first, batches);
  expect(await first.sync()).toEqual({ offset: 7n, epoch: 0 });

  await using log = await openLog(at.folder);
  expect(log.durable).toEqual({ offset: 7n, epoch: 0 });
  expect(log.repairs).toEqual([]);
  await append(log, [batch(7n)]);
  await log.sync();

  expect(await readAll(at.folder)).toEqual(Buffer.concat([...batches, batch(7n)]));
  expect((await filesIn(at.folder)).map(([name]) => name)).toEqual([fileAt(0), fileAt(7)]);
});

test('what was filtered out at the end is remembered through the journal', async () => {
  await using at = await place();
  await using first = await openLog(at.folder);
  await append(first, [batch(0n)], { to: 9n, epoch: 2 });
  expect(await first.sync()).toEqual({ offset: 9n, epoch: 2 });
  await append(first, [], { to: 30n, epoch: 2 });
  expect(await first.sync()).toEqual({ offset: 30n, epoch: 2 });

  await using log = await openLog(at.folder);

  expect(log.durable).toEqual({ offset: 30n, epoch: 2 });
});

test('readers see the new branch from the truncation on, and the old one before it', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n, { count: 4 }), batch(4n, { count: 4 }), batch(8n)]);
  await log.truncate(6n, 3);
  await append(log, [batch(6n, { leaderEpoch: 3, count: 9 })]);
  await log.sync();

  const seen: [bigint, bigint, number][] = [];
  for await (const { header, from, to } of readPartition(systemHost.disk, at.folder, orders)) {
    seen.push([from, to, header.leaderEpoch]);
  }

  expect(seen).toEqual([
    [0n, 4n, 0],
    [4n, 6n, 0],
    [6n, 15n, 3],
  ]);
  expect((await filesIn(at.folder)).map(([name]) => name)).toEqual([
    fileAt(0),
    fileAt(6).replace('.log', '.e3.log'),
  ]);
});

test('a gap is durable before anything behind it', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n)]);
  await log.skipGap(1n, 50n);

  const coverage = await readCoverage(systemHost.disk, at.folder, orders);
  expect(coverage?.gaps).toEqual([{ from: 1n, to: 50n, at: '2026-11-21T00:00:00.000Z' }]);
  await append(log, [batch(50n)]);
  await log.sync();

  await using again = await openLog(at.folder);
  expect(again.durable?.offset).toBe(51n);
  expect(await readAll(at.folder)).toEqual(Buffer.concat([batch(0n), batch(50n)]));
});

test('a tail that is torn at any byte is cut off, and the log goes on behind the last whole batch', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n)]);
  await log.sync();
  const path = await pathOf(at.folder, fileAt(0));
  const torn = batch(1n);
  for (let length = 1; length < torn.length; length += 1) {
    await appendFile(path, torn.subarray(0, length));
    await using again = await openLog(at.folder);
    expect(again.repairs, `${length} bytes`).toMatchObject([{ kind: 'torn-tail', path, cutBytes: length }]);
    expect(again.durable?.offset).toBe(1n);
    expect(await readFile(path)).toEqual(batch(0n));
  }
  await appendFile(path, Buffer.alloc(4096));
  await using zeros = await openLog(at.folder);
  expect(zeros.repairs).toMatchObject([{ kind: 'torn-tail', cutBytes: 4096 }]);
});

test('a tail of zeros behind a stretch that was filtered out is torn, not damaged', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n)], { to: 9n });
  await log.sync();
  await appendFile(await pathOf(at.folder, fileAt(0)), Buffer.alloc(512));

  await using again = await openLog(at.folder);

  expect(again.repairs).toMatchObject([{ kind: 'torn-tail', cutBytes: 512 }]);
  expect(again.durable?.offset).toBe(9n);
});

test('a file of which nothing is whole is removed, and so is one that does not connect', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n)]);
  await log.sync();
  const empty = await pathOf(at.folder, fileAt(1));
  const apart = await pathOf(at.folder, fileAt(5));
  await writeFile(empty, batch(1n).subarray(0, 70));
  await writeFile(apart, batch(5n));

  await using again = await openLog(at.folder);

  expect(again.repairs).toEqual([
    { kind: 'empty-file', path: empty },
    { kind: 'unconnected-file', path: apart },
  ]);
  expect((await filesIn(at.folder)).map(([name]) => name)).toEqual([fileAt(0)]);
});

test('what the journal vouches for is never cut off: it is damage, and the log goes on behind it', async () => {
  await using at = await place();
  const log = await openLog(at.folder);
  await append(log, [batch(0n), batch(1n), batch(2n)]);
  await log[Symbol.asyncDispose]();
  const path = await pathOf(at.folder, fileAt(0));
  const bytes = await readFile(path);
  bytes[150] = (bytes[150] ?? 0) ^ 1;
  await writeFile(path, bytes);

  await using again = await openLog(at.folder);

  expect(again.repairs).toMatchObject([{ kind: 'damaged-file', path }]);
  expect(again.durable?.offset).toBe(3n);
  expect(await readFile(path)).toEqual(bytes);
  await append(again, [batch(3n)]);
  await again.sync();
  await expect(readAll(at.folder)).rejects.toMatchObject({ code: 'damage' });
  await truncate(path, 0);
  await using emptied = await openLog(at.folder);
  expect(emptied.durable?.offset).toBe(4n);
});

test('damage in a closed segment names its file', async () => {
  await using at = await place();
  await using log = await openLog(at.folder, { segmentBytes: 150 });
  await append(log, [batch(0n), batch(1n)]);
  await log.sync();
  const path = await pathOf(at.folder, fileAt(0));
  await truncate(path, 99);

  await expect(readAll(at.folder)).rejects.toMatchObject({
    code: 'damage',
    message: expect.stringContaining(path),
  });
});

test('without a journal every file is believed', async () => {
  await using at = await place();
  const log = await openLog(at.folder, { segmentBytes: 150 });
  await log.begin(7n);
  await append(log, [batch(7n), batch(9n), batch(20n)]);
  await log[Symbol.asyncDispose]();
  await rm(await pathOf(at.folder, 'journal'));

  await using again = await openLog(at.folder);

  expect(again.coverage.ranges).toEqual([{ from: 7n, to: 21n }]);
  expect((await filesIn(at.folder)).map(([name]) => name)).toEqual([fileAt(7), fileAt(9), fileAt(20)]);
});

test('a reader beside a writer sees whole batches only, in order, and no fewer than were synced', async () => {
  await using at = await place();
  await using log = await openLog(at.folder, { segmentBytes: 1000 });
  let wanted = Buffer.alloc(0);
  for (let base = 0n; base < 60n; base += 2n) {
    const writing = append(log, [batch(base), batch(base + 1n)]);
    const found = await readAll(at.folder);
    expect(found.subarray(0, wanted.length).equals(wanted)).toBe(true);
    await writing;
    await log.sync();
    wanted = Buffer.concat([wanted, batch(base), batch(base + 1n)]);
  }
  expect(await readAll(at.folder)).toEqual(wanted);
});

test('abandoned after a sync that failed, a log is open again at what was durable, and stays so', async () => {
  const disk = new FaultyDisk();
  const log = await openLog('/', { disk });
  await append(log, [batch(0n)]);
  await log.sync();
  await append(log, [batch(1n)]);
  disk.fault = (call) => (call === 'file.sync' ? 'EIO' : undefined);
  await expect(log.sync()).rejects.toThrow('EIO');
  disk.fault = () => undefined;
  await log.abandon();

  const again = await openLog('/', { disk });
  expect(again.durable?.offset).toBe(1n);
  await append(again, [batch(1n)]);
  await again.sync();
  disk.powerCut();

  expect(positionOf((await openLog('/', { disk })).coverage)?.offset).toBe(2n);
  expect(await readAll('/', disk)).toEqual(Buffer.concat([batch(0n), batch(1n)]));
});

test('what a process wrote whose sync failed and which was killed then is on disk once it is opened again', async () => {
  const disk = new FaultyDisk();
  const log = await openLog('/', { disk });
  await append(log, [batch(0n), batch(1n)]);
  disk.fault = (call) => (call === 'file.sync' ? 'EIO' : undefined);
  await expect(log.sync()).rejects.toThrow('EIO');
  disk.fault = () => undefined;

  const again = await openLog('/', { disk });
  expect(again.durable?.offset).toBe(2n);
  await again[Symbol.asyncDispose]();
  disk.powerCut();

  expect((await openLog('/', { disk })).durable?.offset).toBe(2n);
  expect(await readAll('/', disk)).toEqual(Buffer.concat([batch(0n), batch(1n)]));
});

test('abandoned while the disk refuses that too, it is abandoned by the next try', async () => {
  const disk = new FaultyDisk();
  const log = await openLog('/', { disk, segmentBytes: 250 });
  await append(log, [batch(0n), batch(1n), batch(2n)]);
  disk.fault = () => 'EIO';
  await expect(log.sync()).rejects.toThrow('EIO');
  await expect(log.abandon()).rejects.toThrow('EIO');
  disk.fault = () => undefined;
  await log.abandon();

  expect((await openLog('/', { disk })).durable?.offset).toBe(0n);
});

async function work(disk: FaultyDisk): Promise<void> {
  const log = await openLog('/', { disk, segmentBytes: 250, onRefusal: async () => undefined });
  await append(log, [batch(0n), batch(1n), batch(2n)]);
  await log.skipGap(3n, 5n);
  await append(log, [batch(5n)]);
  await log[Symbol.asyncDispose]();
}

test('whichever call fails, once, and is tried again: nothing is lost and nothing is there twice', async () => {
  const trial = new FaultyDisk();
  await work(trial);
  let survived = 0;
  for (const code of ['EIO', 'ENOSPC']) {
    for (let failing = 1; failing <= trial.calls; failing += 1) {
      const disk = new FaultyDisk();
      disk.fault = () => (disk.calls === failing ? code : undefined);
      const failed = await work(disk).then(
        () => false,
        () => true,
      );
      disk.powerCut(() => failed);
      const log = await openLog('/', { disk });
      const whole = Buffer.concat([batch(0n), batch(1n), batch(2n), batch(5n)]);
      const found = await readAll('/', disk);
      expect(whole.subarray(0, found.length), `call ${failing}`).toEqual(found);
      if (failed) continue;
      survived += 1;
      expect([log.durable?.offset, found.length], `call ${failing}`).toEqual([6n, 400]);
    }
  }
  expect(survived).toBeGreaterThan(0);
});
