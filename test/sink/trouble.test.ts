import { open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { MovedClock, Opened, RefusingDisk } from './opened.ts';
import { configure, standings, until } from './processes.ts';

async function fill(kafka: Kafka, topic: string, count: number, partition = 0): Promise<void> {
  const java = await kafka.java();
  const records = Array.from({ length: count }, (_, index) => ({ value: `value ${index}`, partition }));
  await java.produce({ topic, records, batchSize: 500 });
}

describe('one broker', () => {
  let kafka: Kafka;
  beforeAll(async () => {
    kafka = await startKafka({ sasl: true });
  });
  afterAll(() => kafka.stop());

  /** A topic of its own with some records, and an installation that saves it. */
  async function given(topic: string): Promise<Backup> {
    const java = await kafka.java();
    await java.createTopic({ topic, partitions: 2 });
    for (const partition of [0, 1]) await fill(kafka, topic, 200, partition);
    return Backup.of(kafka, { include: [topic] });
  }

  test('topics that the user may not read are listed, end a backup with 3, and hold up no other', async () => {
    const java = await kafka.java();
    for (const topic of ['acl-open', 'acl-shown', 'acl-hidden']) {
      await java.createTopic({ topic, partitions: 2 });
      await fill(kafka, topic, 50);
    }
    const username = 'alice';
    await java.setAcl({ topic: 'acl-shown', username, permission: 'ALLOW', operation: 'DESCRIBE' });
    await java.setAcl({ topic: 'acl-hidden', username, permission: 'DENY', operation: 'ALL' });
    await using backup = await Backup.of(kafka, { include: ['acl-open', 'acl-shown', 'acl-hidden'] });
    const passwordFile = join(backup.folder, 'password');
    await writeFile(passwordFile, kafka.sasl?.password ?? '');
    const sasl = { mechanism: 'SCRAM-SHA-512', username, passwordFile };
    await configure(backup, { kafka: { brokers: [kafka.listeners.saslPlain], sasl } });

    const summary = await backup.catchUp();
    expect(summary).toMatchObject({ status: 3, records: 50 });
    const missing = summary.missing.map((row) => JSON.stringify(row)).toSorted();
    expect(missing).toEqual([
      expect.stringContaining('"topic":"acl-hidden","partition":null'),
      expect.stringContaining('"topic":"acl-shown","partition":0'),
    ]);
    expect(await backup.expectExact('acl-open')).toBe(50);

    await java.setAcl({ topic: 'acl-shown', username, permission: 'ALLOW', operation: 'READ' });
    await java.removeAcl({ topic: 'acl-hidden', username, permission: 'DENY', operation: 'ALL' });
    expect(await backup.catchUp()).toMatchObject({ status: 0, missing: [], records: 100 });
    for (const topic of ['acl-shown', 'acl-hidden']) expect(await backup.expectExact(topic)).toBe(50);
  });

  test('a batch that the broker holds damaged stops its partition behind the last good one, and no other', async () => {
    await using backup = await given('flipped');
    const broker = kafka.brokers[0];
    const folder = join(broker?.logDir ?? '', 'flipped-0');
    await broker?.stop();
    const [name] = (await readdir(folder)).filter((file) => file.endsWith('.log'));
    const file = await open(join(folder, name ?? ''), 'r+');
    const { size } = await file.stat();
    const byte = Buffer.alloc(1);
    const at = Math.floor(size / 2);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([byte.readUInt8(0) ^ 0x10]), 0, 1, at);
    await broker?.start();

    const summary = await backup.catchUp();
    expect(summary).toMatchObject({ status: 3, missing: [{ topic: 'flipped', partition: 0 }] });
    expect(summary.stderr).toMatch(/flipped\/0: stopped \(damaged\): .*asked 3 times/);
    const lines = await backup.lines('flipped');
    expect(lines.filter((line) => line.includes('"partition":1'))).toHaveLength(200);
    const saved = lines.filter((line) => line.includes('"partition":0')).length;
    expect(saved).toBeGreaterThan(0);
    expect(saved).toBeLessThan(200);

    // Mended, it is read on from there.
    await file.write(byte, 0, 1, at);
    await file.close();
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: 200 - saved });
    expect(await backup.expectExact('flipped')).toBe(400);
  });

  test('a full disk pauses a daemon, which tells of it, goes on when there is room, and has lost nothing', async () => {
    const refusing = new RefusingDisk();
    const clock = new MovedClock();
    await using backup = await given('full');
    await using opened = await Opened.of(backup, { mode: 'follow', host: { disk: refusing.disk, clock } });
    await opened.catchUp();
    for (const refused of ['write', 'open', 'sync', 'everything'] as const) {
      const from = opened.events.length;
      await opened.sink.cut(); // so that new segments are needed
      refusing.refuse = (call, path) =>
        refused === 'everything' || (call === refused && path.endsWith('.log')) ? 'ENOSPC' : undefined;
      for (const partition of [0, 1]) await fill(kafka, 'full', 100, partition);
      expect(await opened.told('disk-refused', from)).toMatchObject({ isFull: true });
      // Until it has begun the files anew, and was refused at that too.
      await refusing.refused(3, clock);
      refusing.refuse = () => undefined;
      expect(await opened.catchUp()).toMatchObject({ missing: [], gaps: [] });
    }
    expect(opened.events.filter(({ type }) => type === 'partition-stopped')).toEqual([]);
    expect(await backup.expectExact('full')).toBe(1200);
  });

  test('below local.minFree a daemon stops fetching, tells of it, and goes on when there is room', async () => {
    const refusing = new RefusingDisk();
    await using backup = await given('low');
    await using opened = await Opened.of(backup, { mode: 'follow', host: { disk: refusing.disk } });
    await opened.catchUp();
    refusing.freeBytes = 1024 * 1024;
    expect(await opened.told('space-low')).toMatchObject({ freeBytes: 1024 * 1024 });
    // One answer may have been on its way; behind it nothing comes.
    await fill(kafka, 'low', 10);
    await refusing.looks(3);
    const { records } = opened.sink.status;
    await fill(kafka, 'low', 100);
    await refusing.looks(3);
    expect(opened.sink.status.records).toBe(records);
    refusing.freeBytes = 2 ** 40;
    await opened.told('space-back');
    expect(await opened.catchUp()).toMatchObject({ missing: [], gaps: [] });
    expect(await backup.expectExact('low')).toBe(510);
  });

  test('a backup onto a disk that refuses to write gives up with 14 when its patience ends', async () => {
    const refusing = new RefusingDisk();
    const clock = new MovedClock();
    await using backup = await given('refusing');
    {
      const host = { disk: refusing.disk, clock };
      await using opened = await Opened.of(backup, { mode: 'catch-up', host });
      await opened.catchUp();
      refusing.refuse = (call) => (call === 'write' ? 'ENOSPC' : undefined);
      await fill(kafka, 'refusing', 100);
      const failure = opened.catchUp().catch((error: unknown) => error);
      await opened.told('disk-refused');
      // The brokers' patience is about as long: nothing may be waiting for them when the clock moves.
      await until('its ends to be frozen', async () => opened.sink.progress !== undefined);
      clock.move(31_000);
      expect(await failure).toMatchObject({ code: 'no-space', exitStatus: 14, hint: expect.any(String) });
    }
    expect(await backup.catchUp()).toMatchObject({ status: 0, missing: [], gaps: [] });
    expect(await backup.expectExact('refusing')).toBe(500);
  });

  test('a backup onto a disk that is below local.minFree gives up with 14 when its patience ends', async () => {
    const refusing = new RefusingDisk();
    const clock = new MovedClock();
    await using backup = await given('patience');
    refusing.freeBytes = 0;
    {
      const host = { disk: refusing.disk, clock };
      await using opened = await Opened.of(backup, { mode: 'catch-up', host });
      await opened.told('space-low');
      const failure = opened.catchUp().catch((error: unknown) => error);
      await until('its ends to be frozen', async () => opened.sink.progress !== undefined);
      clock.move(31_000);
      expect(await failure).toMatchObject({ code: 'no-space', exitStatus: 14, hint: expect.any(String) });
    }
    expect(await backup.catchUp()).toMatchObject({ status: 0, records: 400 });
    expect(await backup.expectExact('patience')).toBe(400);
  });

  test.for(['follow', 'catch-up'] as const)(
    'after a sync that failed once, a sink that is to %s begins again from what is durable: nothing lost or twice',
    async (mode) => {
      const refusing = new RefusingDisk();
      await using backup = await given(`unsynced-${mode}`);
      await using opened = await Opened.of(backup, { mode, host: { disk: refusing.disk } });
      await opened.catchUp();
      let refusals = 0;
      refusing.refuse = (call, path) => {
        if (call !== 'sync' || !path.endsWith('.log') || refusals > 0) return undefined;
        refusals += 1;
        return 'EIO';
      };
      for (const partition of [0, 1]) await fill(kafka, `unsynced-${mode}`, 100, partition);
      expect(await opened.catchUp()).toMatchObject({ missing: [], gaps: [] });
      expect(refusals).toBe(1);
      expect(await opened.told('disk-refused')).toMatchObject({ isFull: false });
      expect(await backup.expectExact(`unsynced-${mode}`)).toBe(600);
    },
  );

  test('of two syncs at once, the second does not take for done what the first has lost', async () => {
    const refusing = new RefusingDisk();
    await using backup = await given('twice');
    {
      await using opened = await Opened.of(backup, { mode: 'follow', host: { disk: refusing.disk } });
      await opened.catchUp();
      let refusals = 0;
      refusing.refuse = (call, path) => {
        if (call !== 'sync' || !path.endsWith('.log') || refusals > 0) return undefined;
        refusals += 1;
        return 'EIO';
      };
      const { records } = opened.sink.status;
      await fill(kafka, 'twice', 100);
      await until('they are written', async () => opened.sink.status.records > records || refusals > 0);
      await Promise.all([opened.sink.cut(), opened.sink.cut()]);
      expect(refusals).toBe(1);
    }
    await refusing.powerCut();
    for (const { committed, recovered } of await standings(kafka, backup, 'twice')) {
      expect(recovered).toBeGreaterThanOrEqual(committed);
    }
    expect(await backup.catchUp()).toMatchObject({ status: 0, missing: [], gaps: [] });
    expect(await backup.expectExact('twice')).toBe(500);
  });

  test('what was committed is there after a power cut that takes all that was not synced', async () => {
    const java = await kafka.java();
    const refusing = new RefusingDisk();
    await using backup = await given('power');
    {
      await using opened = await Opened.of(backup, { mode: 'follow', host: { disk: refusing.disk } });
      await opened.told('committed');
      const { records } = opened.sink.status;
      const loading = java.produceLoad({ topic: 'power', records: 50_000, size: 100 });
      await until('more is written', async () => opened.sink.status.records > records);
      refusing.refuse = () => 'EIO';
      await loading;
    }
    await refusing.powerCut();
    const found = await standings(kafka, backup, 'power');
    expect(found.some(({ committed }) => committed > 0n)).toBe(true);
    for (const { committed, recovered } of found) expect(recovered).toBeGreaterThanOrEqual(committed);
    expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], missing: [] });
    expect(await backup.expectExact('power')).toBe(50_400);
  });
});
