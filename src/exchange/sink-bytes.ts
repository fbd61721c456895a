/** The bytes of one file, plain or gzipped, as lines. */
import type { Hash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { VarveError } from '../errors.ts';
import { codeOf, type Disk, type DiskFile, type DiskStat } from '../host/host.ts';
import { linesOf, type Lines } from './lines.ts';

/** `hash` takes the bytes as they lie on the disk. */
export async function* readLines(
  disk: Disk,
  path: string,
  hash: Hash,
): AsyncGenerator<Lines, void, undefined> {
  const chunks = chunksOf(disk, path, hash);
  const first = await chunks.next();
  if (first.done === true) return;
  const all = rejoined(first.value, chunks);
  const isGzip = first.value.length >= 2 && first.value.readUInt16BE(0) === gzipMagic;
  yield* linesOf(isGzip ? gunzipped(all, path) : all, path);
}

const gzipMagic = 0x1f8b;
const chunkBytes = 1024 * 1024;

async function* chunksOf(disk: Disk, path: string, hash: Hash): AsyncGenerator<Buffer, void, undefined> {
  const file = await opened(disk, path);
  try {
    for (let position = 0; ;) {
      const chunk = Buffer.allocUnsafeSlow(chunkBytes);
      const bytes = chunk.subarray(0, await file.read(chunk, position));
      if (bytes.length === 0) return;
      hash.update(bytes);
      position += bytes.length;
      yield bytes;
    }
  } finally {
    await file.close();
  }
}

async function* rejoined(
  first: Buffer,
  rest: AsyncGenerator<Buffer, void, undefined>,
): AsyncGenerator<Buffer, void, undefined> {
  yield first;
  yield* rest;
}

/** Several members one behind the other are one file, as `gzip` takes them. */
async function* gunzipped(
  chunks: AsyncIterable<Buffer>,
  path: string,
): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: chunkBytes });
  pipeline(Readable.from(chunks), gunzip, () => undefined); // its error comes out of the stream as well
  try {
    for await (const chunk of gunzip) yield chunk;
  } catch (error) {
    if (error instanceof VarveError) throw error;
    const { message } = error instanceof Error ? error : { message: String(error) };
    throw new VarveError('damage', `${path}: it is no whole gzip file: ${message}`, {
      hint: 'find another copy of it; gzip -dc may give what is in front of the damage',
      cause: error,
    });
  }
}

async function opened(disk: Disk, path: string): Promise<DiskFile> {
  const { target } = await fileBehind(disk, path);
  return readable(path, async () => disk.open(target, 'read'));
}

/** How a file is spoken of: by the option that names it, and what it should have been. */
export interface FileWords {
  readonly option: string;
  readonly hint: string;
}

const sinkWords: FileWords = { option: '--files: ', hint: 'name the files of the FileStreamSink alone' };

/** What the operating system refuses is told by the path that was asked for. */
export async function readable<T>(
  path: string,
  work: () => Promise<T>,
  { option }: FileWords = sinkWords,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    throw new VarveError('failed', `${option}${path}: it cannot be read: ${code}`, {
      hint: 'let the user that runs this read it and its folder, or name a copy that it may read',
      cause: error,
    });
  }
}

const linksMax = 40;
const notFiles = {
  file: 'a file',
  folder: 'a folder',
  symlink: 'links in a circle',
  other: 'a pipe, a socket or a device',
} as const satisfies Record<DiskStat['kind'], string>;

/** Symbolic links are followed, unlike anywhere else: they are the operator's own, and nothing is written. */
export async function fileBehind(
  disk: Disk,
  path: string,
  words: FileWords = sinkWords,
): Promise<DiskStat & { target: string }> {
  let target = path;
  let found = await readable(path, async () => disk.stat(target), words);
  for (let links = 0; found?.kind === 'symlink' && links < linksMax; links += 1) {
    target = resolve(dirname(target), (await disk.readSymlink(target)) ?? '');
    found = await readable(path, async () => disk.stat(target), words);
  }
  if (found?.kind === 'file') return { ...found, target };
  const got = found === undefined ? 'nothing' : notFiles[found.kind];
  const behind = target === path ? '' : ` behind its link to ${target}`;
  throw new VarveError('usage', `${words.option}${path}: expected a file, got ${got}${behind}`, {
    hint: words.hint,
  });
}
