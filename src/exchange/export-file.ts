/** An export as it lies on a disk, packed or not. */
import { VarveError } from '../errors.ts';
import type { Disk, DiskFile } from '../host/host.ts';
import { walkSegment } from '../local/local.ts';
import type { BatchHeader } from '../log/log.ts';
import type { ExportDocument, SegmentName } from './export-layout.ts';
import { PackedFile, readFrameTable, type FrameTable, type RawFile } from './packed-file.ts';
import { fileBehind, readable } from './sink-bytes.ts';
import type { TarMember } from './tar-members.ts';

export interface ExportFile {
  readonly path: string;
  readonly document: ExportDocument;
  /** Of everything in it: the SHA-256 of its SHA256SUMS. */
  readonly digest: string;
  /** In order, by the key of `partitionText`. */
  readonly segments: ReadonlyMap<string, readonly ExportSegment[]>;
  readonly times: ReadonlyMap<string, { readonly firstMs: bigint; readonly lastMs: bigint }>;
  /** As the disk told of it, and how its frames lie. */
  readonly place: ExportPlace;
}

export interface ExportSegment extends SegmentName {
  readonly member: TarMember;
  /** Behind its last batch. */
  readonly next: bigint;
}

export interface ExportPlace {
  readonly path: string;
  readonly byteLength: number;
  readonly target: string;
  readonly seen: string;
  readonly table: FrameTable | undefined;
}

export function partitionText(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

export async function lookAtExport(disk: Disk, path: string): Promise<ExportPlace> {
  const seen = await look(disk, path);
  const file = await opened(disk, { path, ...seen });
  try {
    const head = Buffer.alloc(4);
    await file.read(head, 0);
    const isPacked = head.readUInt32LE(0) === zstdMagic;
    return { path, ...seen, table: isPacked ? await readFrameTable(file, path) : undefined };
  } finally {
    await file.close();
  }
}

/** Where it is still the file that was looked at. */
export async function openRaw(
  disk: Disk,
  place: ExportPlace,
): Promise<AsyncDisposable & { readonly raw: RawFile }> {
  const { path, table } = place;
  if ((await look(disk, path)).seen !== place.seen) throw changed(path);
  const file = await opened(disk, place);
  const raw = table === undefined ? file : new PackedFile(file, { path, table });
  return { raw, [Symbol.asyncDispose]: async () => file.close() };
}

/** No damage: that has a readable place behind it, which a restore would look for. */
export function changed(path: string, cause?: unknown): VarveError {
  return new VarveError('interrupted', `${path}: it changed between being checked and being read`, {
    hint: 'stop whatever writes this file, or name a copy of it, and begin again with --recreate',
    cause,
  });
}

/** The batches of a segment. Anything wrong is what `problem` makes of it. */
export async function* batchesOf(
  raw: RawFile,
  o: { member: TarMember; base: bigint; problem: (text: string) => VarveError },
): AsyncGenerator<{ bytes: Buffer; header: BatchHeader }, void, undefined> {
  const { position, byteLength } = o.member;
  const walk = walkSegment(
    {
      read: async (buffer, at) => raw.read(buffer.subarray(0, Math.max(0, byteLength - at)), position + at),
      byteLength: async () => byteLength,
    },
    o.base,
  );
  for (;;) {
    const step = await walk.next();
    if (!step.done) yield step.value;
    else if (step.value.problem === undefined) return;
    else throw o.problem(step.value.problem);
  }
}

async function look(disk: Disk, path: string): Promise<{ target: string; byteLength: number; seen: string }> {
  const { target, byteLength, inode, device, modifiedMs } = await fileBehind(disk, path, importWords);
  return { target, byteLength, seen: `${device} ${inode} ${byteLength} ${modifiedMs}` };
}

async function opened(disk: Disk, o: { path: string; target: string }): Promise<DiskFile> {
  return await readable(o.path, async () => disk.open(o.target, 'read'), importWords);
}

const importWords = { option: '', hint: 'name the file that varve export wrote' };
const zstdMagic = 0xfd2fb528;
