import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemHost, type Disk } from '../../src/host/host.ts';
import { coverageOfFiles, positionOf } from '../../src/local/local.ts';
import { append, batch, openLog, orders, place } from './given.ts';

const partition = join('topics', orders.topic, orders.topicId, '0');
const segment = join(partition, '2026-11', `${'0'.repeat(20)}.log`);

/** As a reader finds it, with the segment last written so long before or after the journal. */
async function endFound(folder: string, { segmentLaterMs }: { segmentLaterMs: number }): Promise<unknown> {
  const { mtimeMs } = await stat(join(folder, partition, 'journal'));
  const seconds = (Math.floor(mtimeMs) + 0.5 + segmentLaterMs) / 1000;
  await utimes(join(folder, segment), seconds, seconds);
  return positionOf(await coverageOfFiles(systemHost.disk, folder, orders))?.offset;
}

test('what was written while the journal was, and is synced, is found by readers though the files look older', async () => {
  await using at = await place();
  const held = Promise.withResolvers<void>();
  const syncing = Promise.withResolvers<void>();
  const open: Disk['open'] = async (path, mode) => {
    const file = await systemHost.disk.open(path, mode);
    if (path.endsWith('.log')) {
      const sync = file.sync.bind(file);
      file.sync = async () => {
        syncing.resolve();
        await held.promise;
        await sync();
      };
    }
    return file;
  };
  await using log = await openLog(at.folder, { disk: { ...systemHost.disk, open } });
  await append(log, [batch(0n)]);
  const first = log.sync();
  await syncing.promise;
  await append(log, [batch(1n)]);
  held.resolve();
  await first;

  await log.sync();

  expect(log.durable?.offset).toBe(2n);
  expect(await endFound(at.folder, { segmentLaterMs: -1000 })).toBe(2n);
});

test('what is written at the very moment of the journal is found by readers', async () => {
  await using at = await place();
  await using log = await openLog(at.folder);
  await append(log, [batch(0n)]);
  await log.sync();
  await append(log, [batch(1n)]);

  expect(await endFound(at.folder, { segmentLaterMs: 0 })).toBe(2n);
});
