/** An export as it lies on a disk, packed or not. */
import { VarveError } from '../errors.ts';
import type { Disk, DiskFile, Host } from '../host/host.ts';
import { walkSegment } from '../local/local.ts';
import type { BatchHeader } from '../log/log.ts';
import type { ExportDocument, SegmentName } from './export-layout.ts';
import { PackedFile, readFrameTable, type FrameTable, type RawFile } from './packed-file.ts';
import { fileBehind, readable } from './sink-bytes.ts';
import type { TarMember } from './tar-members.ts';
import { unpackBeside, unpackedPieces } from './unpacked-file.ts';

export interface ExportFile extends AsyncDisposable {
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
  /** Where varve export packed it. */
  readonly table: FrameTable | undefined;
  /** What it holds, where another program packed it. */
  readonly unpacked: DiskFile | undefined;
}

export interface LookOptions {
  readonly signal: AbortSignal;
  /** Another program packed it, and all of it is unpacked before anything else. */
  readonly onUnpacking: () => void;
}

export function partitionText(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** Who has it closes what was unpacked. */
export async function lookAtExport(
  host: Pick<Host, 'disk' | 'random'>,
  path: string,
  { signal, onUnpacking }: LookOptions,
): Promise<ExportPlace> {
  const seen = await look(host.disk, path);
  const file = await opened(host.disk, { path, ...seen });
  try {
    const packing = await packingOf(file, path);
    if (packing === 'foreign') onUnpacking();
    const unpacked = packing === 'foreign' ? await unpackBeside(host, { path, file }, signal) : undefined;
    return { path, ...seen, table: typeof packing === 'object' ? packing : undefined, unpacked };
  } finally {
    await file.close();
  }
}

/** Where a tar begins, and no more of it than that where it would have to be unpacked. */
export async function openBeginning(
  disk: Disk,
  path: string,
): Promise<AsyncDisposable & { readonly raw: RawFile }> {
  const file = await opened(disk, { path, ...(await look(disk, path)) });
  const close = { [Symbol.asyncDispose]: async () => file.close() };
  try {
    const packing = await packingOf(file, path);
    if (packing === 'none') return { raw: file, ...close };
    if (packing !== 'foreign') return { raw: new PackedFile(file, { path, table: packing }), ...close };
    const beginning = await beginningOf(unpackedPieces({ path, file }));
    const read: RawFile['read'] = async (buffer, position) => beginning.copy(buffer, 0, position);
    const isWhole = beginning.length < beginningBytes;
    const byteLength = isWhole ? beginning.length : Number.MAX_SAFE_INTEGER; // nobody knows yet
    return { raw: { read, byteLength: async () => byteLength }, ...close };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const beginningBytes = 64 * 1024;

async function beginningOf(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  let beginning = Buffer.alloc(0);
  for await (const piece of pieces) {
    beginning = Buffer.concat([beginning, piece.subarray(0, beginningBytes)]);
    if (beginning.length >= beginningBytes) break;
  }
  return beginning;
}

async function packingOf(file: DiskFile, path: string): Promise<'none' | 'foreign' | FrameTable> {
  const head = Buffer.alloc(4);
  await file.read(head, 0);
  const magic = head.readUInt32LE(0);
  if ((magic & 0xffff) === gzipMagic) {
    throw new VarveError('usage', `${path}: expected a .tar or .tar.zst, got a gzip file`, {
      hint: 'unpack it first (gzip -d) and name the .tar',
    });
  }
  const isSkippable = (magic & 0xfffffff0) >>> 0 === skippableMagic;
  if (magic !== zstdMagic && !isSkippable) return 'none';
  return (await readFrameTable(file, path)) ?? 'foreign';
}

/** Where it is still the file that was looked at. */
export async function openRaw(
  disk: Disk,
  place: ExportPlace,
): Promise<AsyncDisposable & { readonly raw: RawFile }> {
  const { path, table, unpacked } = place;
  if (unpacked !== undefined) return { raw: unpacked, [Symbol.asyncDispose]: async () => undefined };
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
const gzipMagic = 0x8b1f;
const zstdMagic = 0xfd2fb528;
/** The last four bits are free. */
const skippableMagic = 0x184d2a50;
