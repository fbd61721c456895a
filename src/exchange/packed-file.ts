/**
 * A file of zstd frames in the seekable format: any reader of zstd unpacks it, and one that knows the table at its end
 * reads from anywhere. Integers are little-endian.
 *
 *     frame*                       each of 2^20 raw bytes, the last one of 1 to 2^20
 *     u32 0x184d2a5e | u32 length of what follows
 *       (u32 packed bytes | u32 raw bytes)*     one row a frame
 *       u32 number of frames | u8 0 | u32 0x8f92eab1
 */
import { blockBytes, FrameCodec } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { DiskFile } from '../host/host.ts';

const tableMagic = 0x184d2a5e;
const endMagic = 0x8f92eab1;
const headBytes = 8;
const rowBytes = 8;
const footerBytes = 9;
/** The least a frame of one byte takes, with its content size and checksum. */
const frameBytesMin = 11;
const frameBytesMax = blockBytes + blockBytes / 128;

/** Cuts what comes into frames. */
export class FramePacker {
  readonly #codec = new FrameCodec();
  readonly #raw = Buffer.allocUnsafeSlow(blockBytes);
  #filled = 0;
  readonly #rows: number[] = [];
  #lastRawBytes = 0;

  /** The frames that were completed. */
  push(piece: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    for (let at = 0; at < piece.length;) {
      const taken = piece.copy(this.#raw, this.#filled, at);
      at += taken;
      this.#filled += taken;
      if (this.#filled === blockBytes) frames.push(this.#frame());
    }
    return frames;
  }

  /** The last frame, and the table. */
  end(): Buffer[] {
    const last = this.#filled > 0 ? [this.#frame()] : [];
    const content = this.#rows.length * rowBytes + footerBytes;
    const table = Buffer.alloc(headBytes + content);
    table.writeUInt32LE(tableMagic, 0);
    table.writeUInt32LE(content, 4);
    for (const [index, packedBytes] of this.#rows.entries()) {
      const isLast = index === this.#rows.length - 1;
      table.writeUInt32LE(packedBytes, headBytes + index * rowBytes);
      table.writeUInt32LE(isLast ? this.#lastRawBytes : blockBytes, headBytes + index * rowBytes + 4);
    }
    table.writeUInt32LE(this.#rows.length, table.length - footerBytes);
    table.writeUInt32LE(endMagic, table.length - 4);
    return [...last, table];
  }

  #frame(): Buffer {
    const frame = Buffer.from(this.#codec.compress(this.#raw.subarray(0, this.#filled)));
    this.#rows.push(frame.length);
    this.#lastRawBytes = this.#filled;
    this.#filled = 0;
    return frame;
  }
}

/** Bytes that can be read from anywhere, whether they lie packed or not. */
export interface RawFile {
  /** Fills the buffer from the position; fewer bytes only at the end. */
  read(buffer: Buffer, position: number): Promise<number>;
  byteLength(): Promise<number>;
}

/** Where the frames of a file begin. */
export interface FrameTable {
  /** One more than there are frames: the last is where the table begins. */
  readonly starts: Float64Array;
  readonly rawBytes: number;
}

/**
 * Undefined where another program packed it. Nothing is allocated because the table says so: its length is held against
 * that of the file first.
 */
export async function readFrameTable(file: DiskFile, path: string): Promise<FrameTable | undefined> {
  const fileBytes = await file.byteLength();
  const footer = Buffer.alloc(footerBytes);
  await file.read(footer, Math.max(0, fileBytes - footerBytes));
  const frames = footer.readUInt32LE(0);
  const tableBytes = headBytes + frames * rowBytes + footerBytes;
  if (footer.readUInt32LE(5) !== endMagic || footer[4] !== 0) return undefined;
  if (tableBytes + frames * frameBytesMin > fileBytes) return undefined;
  const bytes = Buffer.allocUnsafe(tableBytes);
  await file.read(bytes, fileBytes - tableBytes);
  if (bytes.readUInt32LE(0) !== tableMagic || bytes.readUInt32LE(4) !== tableBytes - headBytes)
    return undefined;
  const table = tableOf(bytes, frames);
  if (table?.starts.at(-1) !== fileBytes - tableBytes) return undefined;
  return (await isFirstFrameOurs(file, path, table)) ? table : undefined;
}

function tableOf(bytes: Buffer, frames: number): FrameTable | undefined {
  const starts = new Float64Array(frames + 1);
  let at = 0;
  let lastRawBytes = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const packedBytes = bytes.readUInt32LE(headBytes + frame * rowBytes);
    lastRawBytes = bytes.readUInt32LE(headBytes + frame * rowBytes + 4);
    const isWhole =
      frame === frames - 1 ? lastRawBytes > 0 && lastRawBytes <= blockBytes : lastRawBytes === blockBytes;
    if (!isWhole || packedBytes < frameBytesMin || packedBytes > frameBytesMax) return undefined;
    at += packedBytes;
    starts[frame + 1] = at;
  }
  return { starts, rawBytes: Math.max(0, frames - 1) * blockBytes + lastRawBytes };
}

/** Others leave the checksum or the size of the contents out: such a frame is read as theirs, or told as damage then. */
async function isFirstFrameOurs(file: DiskFile, path: string, table: FrameTable): Promise<boolean> {
  try {
    await new PackedFile(file, { path, table }).read(Buffer.alloc(1), 0);
    return true;
  } catch (error) {
    if (error instanceof VarveError && error.code === 'damage') return false;
    throw error;
  }
}

/** Holds one frame at a time. */
export class PackedFile implements RawFile {
  readonly #file: DiskFile;
  readonly #path: string;
  readonly #table: FrameTable;
  readonly #codec = new FrameCodec();
  #frame = -1;
  #raw: Buffer = Buffer.alloc(0);

  constructor(file: DiskFile, o: { path: string; table: FrameTable }) {
    this.#file = file;
    this.#path = o.path;
    this.#table = o.table;
  }

  async byteLength(): Promise<number> {
    return this.#table.rawBytes;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length && position + filled < this.#table.rawBytes) {
      const at = position + filled;
      await this.#open(Math.floor(at / blockBytes));
      filled += this.#raw.copy(buffer, filled, at % blockBytes);
    }
    return filled;
  }

  async #open(frame: number): Promise<void> {
    if (frame === this.#frame) return;
    const { starts, rawBytes } = this.#table;
    const from = starts[frame] ?? 0;
    const packed = Buffer.allocUnsafe((starts[frame + 1] ?? from) - from);
    const expected = Math.min(blockBytes, rawBytes - frame * blockBytes);
    this.#frame = -1;
    const isThere = (await this.#file.read(packed, from)) === packed.length;
    const raw = isThere ? this.#codec.decompress(packed, expected) : undefined;
    if (raw?.length !== expected)
      throw unreadable(this.#path, `frame ${frame}, at byte ${from}, is no whole frame of ${expected} bytes`);
    this.#raw = raw;
    this.#frame = frame;
  }
}

function unreadable(path: string, problem: string): VarveError {
  return new VarveError('damage', `${path}: ${problem}`, {
    hint: 'where another program packed it, unpack it first (zstd -d) and name the .tar; else find another copy of it',
  });
}
