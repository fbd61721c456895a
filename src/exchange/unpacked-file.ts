/**
 * A file of zstd frames that another program packed. They can only be read from their beginning, and a restore reads in
 * many places at once: so the whole is unpacked first, beside the file, into one that has no name and goes with the
 * process, whatever ends that.
 */
import { dirname } from 'node:path';
import { FrameStream, windowLogMax } from '../crypto/crypto.ts';
import { messageOf, VarveError } from '../errors.ts';
import { codeOf, type DiskFile, type Host } from '../host/host.ts';
import { randomName } from './fresh-file.ts';

const chunkBytes = 1024 * 1024;
/** How often it is looked how much room there still is. */
const stepBytes = 64 * 1024 * 1024;
/** Whatever a file claims to hold, the disk is never filled with it: others write there, too. */
const freeBytesMin = 1024 * 1024 * 1024;

export interface PackedElsewhere {
  readonly path: string;
  readonly file: DiskFile;
}

/** The caller closes it. */
export async function unpackBeside(
  { disk, random }: Pick<Host, 'disk' | 'random'>,
  packed: PackedElsewhere,
  signal: AbortSignal,
): Promise<DiskFile> {
  const { path } = packed;
  const temporary = randomName(random, path);
  const unpacked = await written(path, async () => disk.open(temporary, 'create'));
  try {
    await written(path, async () => disk.removeFile(temporary));
    let at = 0;
    let lookAt = stepBytes;
    for await (const piece of unpackedPieces(packed)) {
      signal.throwIfAborted();
      await written(path, async () => unpacked.write([piece], at));
      at += piece.length;
      if (at < lookAt) continue;
      lookAt = at + stepBytes;
      if ((await disk.freeBytes(dirname(temporary))) < freeBytesMin)
        throw noRoom(path, `${at} bytes of it are unpacked`);
    }
    return unpacked;
  } catch (error) {
    await unpacked.close();
    throw error;
  }
}

/** Each holds until the next one. */
export async function* unpackedPieces({
  path,
  file,
}: PackedElsewhere): AsyncGenerator<Buffer, void, undefined> {
  const stream = new FrameStream();
  const next = (position: number): Buffer | undefined => {
    try {
      return stream.next();
    } catch (error) {
      throw unpackable(path, `before its byte ${position}: ${messageOf(error)}`);
    }
  };
  const chunk = Buffer.allocUnsafeSlow(chunkBytes);
  for (let position = 0; ;) {
    const bytes = chunk.subarray(0, await file.read(chunk, position));
    if (bytes.length === 0) break;
    position += bytes.length;
    stream.feed(bytes);
    for (let piece = next(position); piece !== undefined; piece = next(position)) yield piece;
  }
  if (!stream.isBetweenFrames) throw unpackable(path, 'it ends inside a frame');
}

function unpackable(path: string, problem: string): VarveError {
  if (problem.includes('too much memory')) {
    return new VarveError(
      'failed',
      `${path}: a frame wants a window of more than 2^${windowLogMax} bytes in memory`,
      {
        hint: 'unpack it first (zstd -d --long=31) and name the .tar',
      },
    );
  }
  return new VarveError('damage', `${path}: it cannot be unpacked: ${problem}`, {
    hint: 'where zstd -d takes it, unpack it first and name the .tar; else find another copy of it',
  });
}

async function written<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw noRoom(path, messageOf(error), error);
    throw new VarveError('failed', `${path}: it cannot be unpacked beside itself: ${messageOf(error)}`, {
      hint: elsewhere,
      cause: error,
    });
  }
}

function noRoom(path: string, problem: string, cause?: unknown): VarveError {
  return new VarveError('no-space', `${path}: no room to unpack it beside itself: ${problem}`, {
    hint: elsewhere,
    cause,
  });
}

const elsewhere =
  'unpack it elsewhere (zstd -d) and name the .tar; or name it by a symbolic link in a folder with room';
