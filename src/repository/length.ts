import type { Disk, DiskFile } from '../host/host.ts';

/** Why a file is not there with the length that it must have; undefined where it is. */
export async function lengthProblem(disk: Disk, path: string, expected: number): Promise<string | undefined> {
  const stat = await disk.stat(path);
  if (stat === undefined) return 'it is missing';
  if (stat.kind !== 'file') return 'it is no file';
  if (stat.byteLength === expected) return undefined;
  const file = await disk.open(path, 'read');
  try {
    return await openLengthProblem(file, expected);
  } finally {
    await file.close();
  }
}

/**
 * The same of a file that is open. Where the target tells another length its bytes decide: for a second after a link
 * gocryptfs tells the length of the file that it keeps behind this one.
 */
export async function openLengthProblem(file: DiskFile, expected: number): Promise<string | undefined> {
  const told = await file.byteLength();
  if (told === expected || (await endsAt(file, expected))) return undefined;
  return `expected ${expected} bytes, got ${told}`;
}

async function endsAt(file: DiskFile, end: number): Promise<boolean> {
  const byte = Buffer.alloc(1);
  return (await file.read(byte, end)) === 0 && (end === 0 || (await file.read(byte, end - 1)) === 1);
}
