import { pack as tarPack } from 'tar-stream';

/** What a tar is padded to, and what ends it. */
export const tarUnit = 512;
export const tarEnd = Buffer.alloc(2 * tarUnit);

/** The header of a member: the same bytes whenever and by whomever it is written. Its length hangs on the name alone. */
export async function tarHeader({ name, bytes }: { name: string; bytes: number }): Promise<Buffer> {
  const pack = tarPack();
  const entry = pack.entry({ name, size: bytes, mode: 0o440, uid: 0, gid: 0, mtime: new Date(0) });
  // The header is all that is wanted: that the contents never come is no error here.
  entry.on('error', () => undefined);
  pack.on('error', () => undefined);
  await new Promise<void>((resolve) => pack.once('readable', resolve));
  const pieces: Buffer[] = [];
  for (let piece: unknown = pack.read(); Buffer.isBuffer(piece); piece = pack.read()) pieces.push(piece);
  pack.destroy();
  return Buffer.concat(pieces);
}

/** The zeros behind a member of so many bytes. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((tarUnit - (bytes % tarUnit)) % tarUnit);
}
