import { crc32c } from '@node-rs/crc32';
import type { Disk, DiskFile } from '../host/host.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

/** What was sent, so that what comes back can be held against it. */
export interface SentPiece {
  readonly bytes: number;
  crc: number;
}

export interface WrittenPack {
  readonly bytes: number;
  readonly pieces: readonly SentPiece[];
}

interface Member {
  readonly name: string;
  readonly headerAt: number;
  readonly header: Buffer;
  readonly headerPiece: SentPiece;
  readonly piecesBefore: number;
  readonly contentAt: number;
}

const flushBytes = 2 * 1024 * 1024;
/** So that the sync at the end is a short one. */
const syncEveryBytes = 64 * 1024 * 1024;
const mode = 0o440;

/**
 * Writes a tar front to back in a new file. A member's size is known only when it has been sealed, so its header is
 * filled in afterwards: in memory while it waits to be written, else by position. Nothing is read back here.
 */
export class PackWriter implements AsyncDisposable {
  readonly path: string;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Where what waits will stand. */
  #flushedTo = 0;
  #position = 0;
  #pieces: SentPiece[] = [];
  #member: Member | undefined;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #unsyncedBytes = 0;
  #longest = 0;
  #isClosed = false;

  private constructor(path: string, disk: Disk, file: DiskFile) {
    this.path = path;
    this.#disk = disk;
    this.#file = file;
  }

  static async create(disk: Disk, path: string): Promise<PackWriter> {
    return new PackWriter(path, disk, await disk.open(path, 'create'));
  }

  get bytes(): number {
    return this.#position;
  }

  async begin(name: string): Promise<void> {
    if (this.#member !== undefined) throw new Error(`member ${this.#member.name} has not ended`);
    const header = await tarHeader({ name, bytes: 0 });
    const headerAt = this.#position;
    const piecesBefore = this.#pieces.length;
    const headerPiece = this.#add(header);
    this.#member = { name, header, headerAt, headerPiece, piecesBefore, contentAt: this.#position };
  }

  /** The pieces stay untouched until the next call but one has resolved; they are this writer's from now on. */
  async write(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) this.#add(piece);
    if (this.#waitingBytes >= flushBytes) await this.#flush();
  }

  /** Where the member's contents lie. */
  async end(): Promise<{ position: number; bytes: number }> {
    const member = this.#currentMember();
    const bytes = this.#position - member.contentAt;
    const padding = tarPadding(bytes);
    if (padding.length > 0) this.#add(padding);
    const header = await tarHeader({ name: member.name, bytes });
    if (header.length !== member.header.length) throw new Error(`the header of ${member.name} has grown`);
    member.headerPiece.crc = crc32c(header);
    // What waits is written from these very bytes; what was written is written again at its place.
    header.copy(member.header);
    if (member.headerAt < this.#flushedTo) {
      await this.#writing;
      await this.#file.write([header], member.headerAt);
    }
    this.#member = undefined;
    return { position: member.contentAt, bytes };
  }

  /** The member that was begun never was: what comes next takes its place. */
  async drop(): Promise<void> {
    const member = this.#currentMember();
    await this.#flush();
    await this.#writing;
    this.#pieces = this.#pieces.slice(0, member.piecesBefore);
    this.#position = member.headerAt;
    this.#flushedTo = member.headerAt;
    this.#member = undefined;
  }

  /** Ends the tar; whole and durable when it resolves. */
  async finish(): Promise<WrittenPack> {
    if (this.#member !== undefined) throw new Error(`member ${this.#member.name} has not ended`);
    this.#add(Buffer.from(tarEnd));
    await this.#flush();
    await this.#writing;
    await this.#syncing;
    if (this.#longest > this.#position) await this.#file.truncate(this.#position);
    await this.#file.sync();
    this.#isClosed = true;
    await this.#file.close();
    await this.#disk.setMode(this.path, mode).catch(() => undefined); // what a target makes of modes is its own affair
    return { bytes: this.#position, pieces: this.#pieces };
  }

  /** Lets go of the file; what stands in it means nothing unless it was finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => undefined); // told to whoever wrote
    await this.#syncing.catch(() => undefined); // likewise
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }

  #currentMember(): Member {
    if (this.#member === undefined) throw new Error('no member was begun');
    return this.#member;
  }

  #add(bytes: Buffer): SentPiece {
    const piece = { bytes: bytes.length, crc: crc32c(bytes) };
    if (bytes.length === 0) return piece;
    this.#pieces.push(piece);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#position += bytes.length;
    return piece;
  }

  /** One write is under way at a time, while the next one gathers. */
  async #flush(): Promise<void> {
    await this.#writing;
    const buffers = this.#waiting;
    const bytes = this.#waitingBytes;
    const at = this.#flushedTo;
    if (bytes === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#flushedTo += bytes;
    this.#longest = Math.max(this.#longest, this.#flushedTo);
    this.#writing = this.#file.write(buffers, at);
    this.#writing.catch(() => undefined); // told to the next call
    this.#unsyncedBytes += bytes;
    if (this.#unsyncedBytes < syncEveryBytes) return;
    this.#unsyncedBytes = 0;
    await this.#writing;
    await this.#syncing;
    this.#syncing = this.#file.sync();
    this.#syncing.catch(() => undefined); // told to the next call
  }
}

/** Holds what a file gives against what was sent, piece by piece, however it comes. */
export class SentCheck {
  readonly #pieces: readonly SentPiece[];
  #index = 0;
  #crc = 0;
  #left: number;
  #isSame = true;

  constructor(pieces: readonly SentPiece[]) {
    this.#pieces = pieces;
    this.#left = pieces[0]?.bytes ?? 0;
  }

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const piece = this.#pieces[this.#index];
      if (piece === undefined) {
        this.#isSame = false;
        return;
      }
      const part = bytes.subarray(at, at + this.#left);
      this.#crc = crc32c(part, this.#crc);
      this.#left -= part.length;
      at += part.length;
      if (this.#left > 0) continue;
      if (this.#crc !== piece.crc) this.#isSame = false;
      this.#crc = 0;
      this.#index += 1;
      this.#left = this.#pieces[this.#index]?.bytes ?? 0;
    }
  }

  /** True where exactly what was sent has come. */
  isSame(): boolean {
    return this.#isSame && this.#index === this.#pieces.length;
  }
}
