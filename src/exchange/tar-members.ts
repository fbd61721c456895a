/**
 * The members of a tar, without what they hold. A tar may come from anywhere: whatever is neither a file nor a folder,
 * and every number that the file cannot keep, is refused, and nothing is allocated by what a header claims.
 *
 *     header of 512 bytes: 0 100 name | 124 12 size | 148 8 checksum | 156 1 type | 257 5 "ustar" | 263 2 version |
 *                          345 155 prefix of the name
 *     then the contents, filled up to 512 bytes; two empty headers are the end
 *
 * Longer names are in a member before: of type x (pax records `<length> path=<name>\n`) or L (GNU).
 */
import { VarveError } from '../errors.ts';
import type { RawFile } from './packed-file.ts';

export interface TarMember {
  readonly name: string;
  readonly position: number;
  readonly byteLength: number;
}

const unit = 512;
/** A name takes less than half of it. */
const extraBytesMax = 4096;
const paddingBytesMax = 1024 * 1024;
const kinds = new Map([
  ['1', 'a hard link'],
  ['2', 'a symbolic link'],
  ['3', 'a device'],
  ['4', 'a device'],
  ['6', 'a pipe'],
  ['S', 'a sparse file'],
]);

export async function* tarMembers(
  raw: RawFile,
  o: { path: string; memberBytesMax: number },
): AsyncGenerator<TarMember, void, undefined> {
  const walk = new TarWalk(raw, o.path, await raw.byteLength());
  let extra: Extra = {};
  for (;;) {
    const header = await walk.header();
    if (header === undefined) break;
    const { type } = header;
    const name = extra.name ?? header.name;
    const byteLength = extra.byteLength ?? header.byteLength;
    if (type === 'x' || type === 'L') {
      if (Object.keys(extra).length > 0) throw walk.bad('a name is told twice');
      extra = extraOf(type, await walk.contents(header.byteLength), walk);
      continue;
    }
    extra = {};
    const isFile = type === '0' || type === '\0';
    if (!isFile && type !== '5')
      throw walk.bad(`${named(name)} is ${kinds.get(type) ?? `of type ${named(type)}`}`);
    if (byteLength > BigInt(isFile ? o.memberBytesMax : 0))
      throw walk.bad(`${named(name)} claims ${byteLength} bytes`);
    const position = walk.skip(Number(byteLength), name);
    if (!isFile && isHere(name)) continue;
    yield {
      name: name.replace(/^\.\//, '') + (isFile || name.endsWith('/') ? '' : '/'),
      position,
      byteLength: Number(byteLength),
    };
  }
  if (Object.keys(extra).length > 0) throw walk.bad('a name without its member');
}

/** The folder itself that was packed, as `tar cf x.tar .` has it first. */
function isHere(name: string): boolean {
  return name === '.' || name === './';
}

interface Header {
  readonly name: string;
  readonly byteLength: bigint;
  readonly type: string;
}

interface Extra {
  readonly name?: string;
  readonly byteLength?: bigint;
}

class TarWalk {
  readonly #raw: RawFile;
  readonly #path: string;
  readonly #byteLength: number;
  #at = 0;

  constructor(raw: RawFile, path: string, byteLength: number) {
    this.#raw = raw;
    this.#path = path;
    this.#byteLength = byteLength;
  }

  /** Undefined at the end, behind which nothing may stand. */
  async header(): Promise<Header | undefined> {
    const block = Buffer.alloc(unit);
    if ((await this.#raw.read(block, this.#at)) < unit) throw this.bad('it stops without its end');
    if (isEmpty(block)) {
      await this.#assertEnd();
      return undefined;
    }
    if (sumOf(block) !== octal(block, 148, 8) || block.toString('latin1', 257, 262) !== 'ustar')
      throw this.bad('it is no tar there');
    const size = (block[124] ?? 0) >= 0x80 ? binary(block, 124, 12) : octal(block, 124, 12);
    if (size === undefined) throw this.bad('the length of a member is no number');
    const isPosix = block[262] === 0;
    const prefix = isPosix ? text(block, 345, 155) : '';
    this.#at += unit;
    return {
      name: prefix === '' ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`,
      byteLength: size,
      type: block.toString('latin1', 156, 157),
    };
  }

  async contents(byteLength: bigint): Promise<Buffer> {
    if (byteLength > BigInt(extraBytesMax))
      throw this.bad(`a name claims ${byteLength} bytes, expected at most ${extraBytesMax}`);
    const bytes = Buffer.alloc(Number(byteLength));
    await this.#raw.read(bytes, this.skip(bytes.length, 'a name'));
    return bytes;
  }

  /** Where the contents begin. */
  skip(byteLength: number, name: string): number {
    const position = this.#at;
    const end = position + Math.ceil(byteLength / unit) * unit;
    if (end > this.#byteLength)
      throw this.bad(`${named(name)} claims ${byteLength} bytes, and the file ends before`);
    this.#at = end;
    return position;
  }

  bad(problem: string): VarveError {
    return new VarveError('damage', `${this.#path}: byte ${this.#at} of the tar: ${problem}`, {
      hint: 'nothing was touched: name a file that varve export wrote, or find another copy of it',
    });
  }

  async #assertEnd(): Promise<void> {
    const left = this.#byteLength - this.#at;
    if (left < 2 * unit) throw this.bad('it stops without its end');
    if (left > paddingBytesMax) throw this.bad(`more than ${paddingBytesMax} bytes stand behind its end`);
    const rest = Buffer.alloc(left);
    await this.#raw.read(rest, this.#at);
    if (!isEmpty(rest)) throw this.bad('something stands behind its end');
  }
}

/** Of what pax tells, only names and lengths are meant; times, owners and the like change nothing. */
function extraOf(type: 'x' | 'L', bytes: Buffer, walk: TarWalk): Extra {
  if (type === 'L') return { name: text(bytes, 0, bytes.length) };
  let extra: Extra = {};
  for (let at = 0; at < bytes.length;) {
    const digits = /^(\d{1,4}) /.exec(bytes.toString('latin1', at, at + 5))?.[1];
    const end = at + Number(digits ?? 0);
    const record = bytes.toString('utf8', at + (digits?.length ?? 0) + 1, end - 1);
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(record) ?? [];
    if (
      digits === undefined ||
      end > bytes.length ||
      bytes[end - 1] !== 0x0a ||
      key === undefined ||
      value === undefined
    )
      throw walk.bad('a pax record is not whole');
    if (key === 'linkpath' || key.startsWith('GNU.sparse')) throw walk.bad(`it holds a ${named(key)}`);
    if (key === 'path') extra = { ...extra, name: value };
    if (key === 'size') {
      if (!/^\d{1,20}$/.test(value)) throw walk.bad('the length of a member is no number');
      extra = { ...extra, byteLength: BigInt(value) };
    }
    at = end;
  }
  return extra;
}

function isEmpty(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Of the header, with its own field taken as spaces. */
function sumOf(block: Buffer): bigint {
  return BigInt(block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0));
}

function octal(block: Buffer, from: number, length: number): bigint | undefined {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(block.toString('latin1', from, from + length))?.[1];
  return digits === undefined ? undefined : BigInt(`0o${digits}`);
}

/** Base 256, as GNU writes what octal digits do not hold: the first bit says so, the next that it is negative. */
function binary(block: Buffer, from: number, length: number): bigint | undefined {
  const bytes = Buffer.from(block.subarray(from, from + length));
  if (((bytes[0] ?? 0) & 0x40) !== 0) return undefined;
  bytes[0] = (bytes[0] ?? 0) & 0x3f;
  return BigInt(`0x${bytes.toString('hex')}`);
}

function text(block: Buffer, from: number, length: number): string {
  const bytes = block.subarray(from, from + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

function named(name: string): string {
  return JSON.stringify(name.slice(0, 300));
}
