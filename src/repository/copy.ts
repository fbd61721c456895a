import { createHash } from 'node:crypto';
import { VarveError } from '../errors.ts';
import { codeOf, type Disk } from '../host/host.ts';
import { readPastCache } from './steps.ts';

const pieceBytes = 4 * 1024 * 1024;
/** So that the sync at the end is a short one: a call that takes long is taken for one that hangs. */
const syncEveryBytes = 64 * 1024 * 1024;
const mode = 0o440;

export interface FileCopy {
  readonly from: string;
  /** A name that nothing has yet. */
  readonly to: string;
  /** Of the contents as they should be. */
  readonly sha256: string;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((count: number) => void) | undefined;
}

/**
 * Copies a file and holds against its sum what the copy gives back: durable but for its name in the folder. What is wrong
 * with the original is told, and no copy is made then; a copy that comes back wrong is damage.
 */
export async function copyFile(disk: Disk, o: FileCopy): Promise<string | undefined> {
  try {
    const sha256 = await writeCopy(disk, o);
    if (sha256 !== o.sha256) {
      await disk.removeFile(o.to);
      return `expected SHA-256 ${o.sha256}, got ${sha256}`;
    }
  } catch (error) {
    // What stood there is somebody else's; of the two errors the first is the one to tell.
    if (codeOf(error) !== 'EEXIST') await disk.removeFile(o.to).catch(() => undefined);
    throw error;
  }
  await disk.setMode(o.to, mode).catch(() => undefined); // what a target makes of modes is its own affair
  const back = await readPastCache(disk, o.to, () => o.signal?.throwIfAborted());
  if (back.sha256 === o.sha256) return undefined;
  await disk.removeFile(o.to).catch(() => undefined); // likewise
  throw new VarveError('damage', `${o.to}: it gives back something else than what was written`, {
    hint: 'look at the disk or the target, its server and the network, then run the command again',
  });
}

async function writeCopy(disk: Disk, { from, to, signal, onBytes }: FileCopy): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(pieceBytes);
  const source = await disk.open(from, 'read');
  try {
    const copy = await disk.open(to, 'create');
    try {
      for (let at = 0; ;) {
        signal?.throwIfAborted();
        const filled = await source.read(buffer, at);
        if (filled === 0) break;
        const piece = buffer.subarray(0, filled);
        hash.update(piece);
        await copy.write([piece], at);
        at += filled;
        onBytes?.(filled);
        if (at % syncEveryBytes === 0) await copy.sync();
      }
      await copy.sync();
    } catch (error) {
      await copy.close().catch(() => undefined); // the first error is the one to tell
      throw error;
    }
    await copy.close();
  } finally {
    await source.close();
  }
  return hash.digest('hex');
}
