import { basename, dirname, join } from 'node:path';
import type { Disk } from './disk.ts';
import type { Random } from './random.ts';

/** Replaces a file as a whole: a reader, or a crash, finds the old contents or the new ones, never a part. */
export async function replaceFile(
  ports: { disk: Disk; random: Random },
  path: string,
  contents: Buffer,
): Promise<void> {
  const { disk, random } = ports;
  const temporary = join(dirname(path), `.${basename(path)}.${random.bytes(6).toString('hex')}.tmp`);
  const file = await disk.open(temporary, 'create');
  try {
    try {
      await file.write([contents], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(temporary, path);
  } catch (error) {
    await disk.removeFile(temporary).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await disk.syncFolder(dirname(path));
}

/**
 * Makes a folder and the missing ones above it, durably: each new name is synced in the folder that holds it. So is
 * the first that was there already: who made it may have been stopped, or be at work, between the two steps.
 */
export async function ensureFolder(disk: Disk, path: string): Promise<void> {
  if ((await disk.stat(path)) === undefined) {
    await ensureFolder(disk, dirname(path));
    await disk.makeFolder(path);
  }
  await disk.syncFolder(dirname(path));
}
