/** Opening what is in a pack: its index, and the blocks of one segment, any of them first. */
import { join } from 'node:path';
import {
  headerBytes,
  openBlocks,
  sealedBlockBytesMax,
  type BlockPool,
  type ObjectIdentity,
} from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import { codeOf, type Disk, type DiskFile } from '../host/host.ts';
import { packName } from './layout.ts';
import type { Pack } from './manifest.ts';
import { parseIndex, type IndexedSegment, type PackIndex } from './pack-index.ts';
import { openLengthProblem } from './length.ts';
import type { Repository } from './open.ts';

const indexBytesMax = 1024 * 1024 * 1024;
const lengthBytes = 4;
const sealedMemoryBytes = 1024 * 1024;

/** `snapshot` is the folder that holds the pack. */
export async function readIndex(
  disk: Disk,
  repository: Repository,
  { snapshot, pack }: { snapshot: string; pack: Pack },
): Promise<PackIndex> {
  const { position, bytes } = pack.index;
  if (bytes > indexBytesMax || position + bytes > pack.bytes)
    throw damaged(pack.path, `its index of ${bytes} bytes at ${position} does not lie in it`);
  const file = await openPack(disk, { snapshot, pack });
  try {
    const problem = await openLengthProblem(file, pack.bytes);
    if (problem !== undefined) throw damaged(pack.path, problem);
    const sealed = Buffer.allocUnsafe(bytes);
    if ((await file.read(sealed, position)) < bytes) throw damaged(pack.path, 'its index is cut off');
    const identity: ObjectIdentity = {
      kind: 'index',
      repository: repository.identity.repository,
      instance: repository.place.instance,
      pack: pack.path,
    };
    const index = parseIndex(repository.openSealed(identity, sealed), pack.path);
    for (const segment of index.segments) checkPlace(segment, pack);
    return index;
  } finally {
    await file.close();
  }
}

/** A pack that is not there, or a link in its place, is damage. */
export async function openPack(
  disk: Disk,
  { snapshot, pack }: { snapshot: string; pack: Pick<Pack, 'path' | 'shared'> },
): Promise<DiskFile> {
  const { path } = pack;
  try {
    return await disk.open(join(snapshot, packName(pack)), 'read');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw damaged(path, 'it is missing');
    if (code === 'ELOOP') throw damaged(path, 'it is a link, and no file');
    throw error;
  }
}

function checkPlace(segment: IndexedSegment, pack: Pack): void {
  const { position, sealedBytes, blocks } = segment;
  const inBlocks = blocks.reduce((sum, block) => sum + lengthBytes + block.sealedBytes, headerBytes);
  if (inBlocks === sealedBytes && position + sealedBytes <= pack.index.position) return;
  throw damaged(
    pack.path,
    `segment ${segment.base} of ${segment.topic}/${segment.partition} does not lie in it`,
  );
}

/** Blocks that are being opened ahead of the one that is wanted. */
const blocksAheadMax = 4;

/**
 * The raw blocks of a segment, those of a span, in order; with a pool, opened ahead in its threads. Without one, a block is
 * put where `into` says when it is its turn. Throws damage.
 */
export async function* openSegmentBlocks(
  file: DiskFile,
  repository: Repository,
  o: {
    segment: IndexedSegment;
    pack: string;
    span: { readonly from: number; readonly to: number };
    pool?: BlockPool | undefined;
    into?: () => Buffer;
  },
): AsyncGenerator<Buffer, void, undefined> {
  const { segment } = o;
  const { topic, topicId, partition, base, next } = segment;
  const identity: ObjectIdentity = {
    kind: 'segment',
    repository: repository.identity.repository,
    instance: repository.place.instance,
    topic,
    topicId,
    partition,
    base,
    next,
  };
  const header = Buffer.allocUnsafe(headerBytes);
  await fill(file, header, { position: segment.position, pack: o.pack });
  const { codec, second } = repository;
  const opener = openBlocks(header, { identity, findKey: (id) => repository.findKey(id), codec, second });
  let position = segment.position + headerBytes;
  const ahead: Promise<Buffer>[] = [];
  let memory: Buffer = Buffer.alloc(0);
  for (const [number, block] of segment.blocks.entries()) {
    if (block.sealedBytes > sealedBlockBytesMax)
      throw damaged(o.pack, `a block of ${block.sealedBytes} bytes in its index`);
    const bytes = lengthBytes + block.sealedBytes;
    if (number >= o.span.to) break;
    if (number >= o.span.from) {
      if (o.pool !== undefined || memory.length < bytes)
        memory = Buffer.allocUnsafeSlow(Math.max(bytes, sealedMemoryBytes));
      const sealed = memory.subarray(0, bytes);
      await fill(file, sealed, { position, pack: o.pack });
      if (sealed.readUInt32BE(0) !== block.sealedBytes)
        throw damaged(
          o.pack,
          `block ${number} of segment ${base} of ${topic}/${partition} has another length`,
        );
      const at = { number, last: number === segment.blocks.length - 1 };
      if (o.pool === undefined) yield opener.open(sealed.subarray(lengthBytes), at, o.into?.());
      else {
        const opening = opener.openIn(o.pool, sealed.subarray(lengthBytes), at);
        opening.catch(() => undefined); // told when its turn comes
        ahead.push(opening);
        const first = ahead.length > blocksAheadMax ? ahead.shift() : undefined;
        if (first !== undefined) yield await first;
      }
    }
    position += bytes;
  }
  for (const opening of ahead) yield await opening;
}

async function fill(file: DiskFile, buffer: Buffer, o: { position: number; pack: string }): Promise<void> {
  if ((await file.read(buffer, o.position)) === buffer.length) return;
  throw damaged(o.pack, `it ends inside the segment at byte ${o.position}`);
}

function damaged(pack: string, what: string): VarveError {
  return new VarveError('damage', `pack ${pack}: ${what}`, {
    hint: 'restore the pack from another copy of the repository, then run varve verify',
  });
}
