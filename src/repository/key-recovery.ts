/** From a recovery sheet back to keys that open: the keyrings that are missing are made again. */
import { FrameCodec, Keyring, type Key, type Sheet } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import { ensureFolder, type Host } from '../host/host.ts';
import type { RepositoryIdentity } from './identity.ts';
import { placeKeyring } from './key-changes.ts';
import { keyringNumbers, openNewestKeyring } from './keys.ts';
import { keysFolder, type RepositoryPlace } from './layout.ts';

/** The root key, once what is sealed under it has opened, and the numbers of the keyrings that had to be made. */
export async function recoverKeys(
  host: Host,
  { place, identity, sheet }: { place: RepositoryPlace; identity: RepositoryIdentity; sheet: Sheet },
): Promise<{ root: Key; made: readonly number[] }> {
  const { repository } = identity;
  const { root } = sheet;
  if (sheet.repository !== repository) {
    throw new VarveError(
      'wrong-key',
      `the recovery sheet is of repository ${sheet.repository}, and this is ${repository}`,
      { hint: 'take the sheet of this repository, or set repository.dir to the other one' },
    );
  }
  const codec = new FrameCodec();
  const there = await keyringNumbers(host.disk, place.folder);
  if (there.length > 0) await openNewestKeyring(host.disk, { ...place, repository, root, codec });
  else if (sheet.keyring === undefined) {
    throw new VarveError(
      'damage',
      `${keysFolder(place)}: there is no keyring, and the recovery sheet was typed without the lines of its content keys`,
      {
        hint: 'put keyring files back from keys/ beside the local files, or type the lines key1-1 and so on, too',
      },
    );
  }
  await ensureFolder(host.disk, keysFolder(place));
  const made: number[] = [];
  for (let number = 1; number <= (sheet.keyring?.number ?? 0); number += 1) {
    if (there.includes(number)) continue;
    const keys = sheet.keyring?.keys.slice(0, number) ?? [];
    await placeKeyring(host, { place, identity, root, codec }, new Keyring(number, keys));
    made.push(number);
  }
  return { root, made };
}
