/** Sealed segments, copied byte for byte from old packs into a new one; nothing of them is opened. */
import { dirname, join } from 'node:path';
import { headerBytes } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import {
  packName,
  PackWriter,
  readIndex,
  readPastCache,
  type IndexedSegment,
  type Pack,
} from '../repository/repository.ts';
import { readBack, sealIndex, type PackPorts } from './packs.ts';
import type { SegmentToCopy } from './repack-plan.ts';

export interface CopyPorts extends Pick<PackPorts, 'host' | 'repository' | 'signal'> {
  readonly onRead: (bytes: number) => void;
}

/** A pack whose bytes are not those that its manifest says. */
export class WrongPack extends Error {
  readonly pack: Pack;

  constructor(pack: Pack, got: string) {
    super(`pack ${pack.path}: expected SHA-256 ${pack.sha256}, got ${got}`);
    this.pack = pack;
  }
}

/** Makes one new pack, synced and read back. `path` is below `staging`, `snapshot` the folder of the old packs. */
export async function copyIntoPack(
  segments: readonly SegmentToCopy[],
  {
    path,
    staging,
    snapshot,
    isShared,
  }: { path: string; staging: string; snapshot: string; isShared: boolean },
  ports: CopyPorts,
): Promise<Pack> {
  const { host, repository } = ports;
  const file = join(staging, path);
  await host.disk.makeFolder(dirname(file));
  await using writer = await PackWriter.create(host.disk, file);
  const copied: IndexedSegment[] = [];
  for (const [from, wanted] of Map.groupBy(segments, (one) => one.from))
    copied.push(...(await copyFrom(from, { wanted, snapshot, writer }, ports)));
  const index = await sealIndex(writer, { path, segments: copied }, { repository });
  const back = await readBack(host, file, await writer.finish());
  ports.onRead(back.bytes);
  const pack: Pack = {
    path,
    bytes: back.bytes,
    sha256: back.sha256,
    index,
    segments: copied.length,
    rawBytes: copied.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    checkedMs: host.clock.nowMs(),
    readBack: back.how,
  };
  await assertSameSegments(segments, { pack, staging, snapshot }, ports);
  return isShared ? { ...pack, shared: true } : pack;
}

/** The whole pack goes through the digest, front to back; what is wanted of it goes on. */
async function copyFrom(
  from: Pack,
  o: { wanted: readonly SegmentToCopy[]; snapshot: string; writer: PackWriter },
  { host, signal, onRead }: CopyPorts,
): Promise<IndexedSegment[]> {
  const queue = o.wanted.toSorted((a, b) => a.segment.position - b.segment.position);
  const copied: IndexedSegment[] = [];
  let position = 0;
  const take = async (bytes: Buffer): Promise<void> => {
    signal.throwIfAborted();
    for (let [next] = queue, at = 0; next !== undefined && at < bytes.length; [next] = queue) {
      const { segment, name } = next;
      const before = segment.position - position - at;
      if (before > 0) {
        at += before;
        continue;
      }
      if (before === 0) await o.writer.begin(name);
      const left = segment.sealedBytes + before;
      const part = bytes.subarray(at, at + left);
      await o.writer.write([Buffer.from(part)]); // the next piece is read into the same memory
      at += part.length;
      if (part.length < left) break;
      copied.push({ ...segment, position: (await o.writer.end()).position });
      queue.shift();
    }
    position += bytes.length;
    onRead(bytes.length);
  };
  const { sha256 } = await readPastCache(host.disk, join(o.snapshot, packName(from)), take);
  if (sha256 !== from.sha256 || queue.length > 0) throw new WrongPack(from, sha256);
  return copied;
}

/** By the new index each segment is found, and begins with the very head it had: its key, salt and commitment. */
async function assertSameSegments(
  wanted: readonly SegmentToCopy[],
  o: { pack: Pack; staging: string; snapshot: string },
  { host, repository }: CopyPorts,
): Promise<void> {
  const { disk } = host;
  const { segments } = await readIndex(disk, repository, { snapshot: o.staging, pack: o.pack });
  const headsIn = async (path: string, positions: readonly number[]): Promise<string[]> => {
    const file = await disk.open(path, 'read');
    try {
      const head = Buffer.alloc(headerBytes);
      const heads: string[] = [];
      for (const position of positions) {
        await file.read(head, position);
        heads.push(head.toString('base64'));
      }
      return heads;
    } finally {
      await file.close();
    }
  };
  const old: string[] = [];
  for (const [from, ones] of Map.groupBy(wanted, (one) => one.from))
    old.push(
      ...(await headsIn(
        join(o.snapshot, packName(from)),
        ones.map(({ segment }) => segment.position),
      )),
    );
  const fresh = await headsIn(
    join(o.staging, o.pack.path),
    segments.map(({ position }) => position),
  );
  if (new Set(fresh).size === segments.length && fresh.toSorted().join() === old.toSorted().join()) return;
  throw new VarveError('damage', `pack ${o.pack.path}: it does not hold what was copied into it`, {
    hint: 'nothing was published; look at the target and its server, then run the command again',
  });
}
