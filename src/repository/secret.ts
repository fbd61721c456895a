import type { SlotSecret } from '../crypto/crypto.ts';
import { keyBytes } from '../crypto/crypto.ts';
import { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';

/** Where the secret is that opens a slot. */
export type RepositorySecret = { readonly keyFile: string } | { readonly passphraseFile: string };

export function secretOf(repository: {
  readonly keyFile?: string;
  readonly passphraseFile?: string;
}): RepositorySecret {
  if (repository.keyFile !== undefined) return { keyFile: repository.keyFile };
  if (repository.passphraseFile !== undefined) return { passphraseFile: repository.passphraseFile };
  throw new VarveError('config', 'repository: expected keyFile or passphraseFile, got neither', {
    hint: 'set repository.keyFile (varve key generate makes one) or repository.passphraseFile',
  });
}

const fileBytesMax = 64 * 1024;

const configured = { keyFile: 'repository.keyFile', passphraseFile: 'repository.passphraseFile' };

/** `told` is what an operator calls the files by. */
export async function readSecret(
  disk: Disk,
  secret: RepositorySecret,
  told = configured,
): Promise<SlotSecret> {
  if ('keyFile' in secret) {
    const bytes = await readSmall(disk, secret.keyFile, told.keyFile);
    return { keyFile: parseKeyFile(bytes, secret.keyFile) };
  }
  const bytes = await readSmall(disk, secret.passphraseFile, told.passphraseFile);
  const passphrase = bytes.toString('utf8').split(/\r?\n/, 1)[0] ?? '';
  if (passphrase !== '') return { passphrase };
  throw new VarveError('config', `${told.passphraseFile} ${secret.passphraseFile}: its first line is empty`, {
    hint: 'write the passphrase on the first line',
  });
}

/** 32 bytes, as they are or as base64 or hexadecimal text. */
export function parseKeyFile(bytes: Buffer, path: string): Buffer {
  if (bytes.length === keyBytes) return bytes;
  const text = bytes.toString('latin1').trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) {
    const decoded = Buffer.from(text, 'base64');
    if (decoded.length === keyBytes) return decoded;
  }
  throw new VarveError(
    'config',
    `key file ${path}: expected ${keyBytes} bytes, raw or as base64 or hex, got ${bytes.length} bytes`,
    {
      hint: 'varve key generate FILE makes one',
    },
  );
}

async function readSmall(disk: Disk, path: string, key: string): Promise<Buffer> {
  const stat = await disk.stat(path);
  if (stat !== undefined && stat.byteLength > fileBytesMax)
    throw new VarveError(
      'config',
      `${key} ${path}: expected at most ${fileBytesMax} bytes, got ${stat.byteLength}`,
      {
        hint: 'name the file that holds the secret and nothing else',
      },
    );
  let bytes: Buffer | undefined;
  let cause: unknown;
  try {
    bytes = await disk.readFile(path);
  } catch (error) {
    cause = error;
  }
  if (bytes !== undefined) return bytes;
  throw new VarveError(
    'config',
    `${key} ${path}: ${cause === undefined ? 'no such file' : 'it cannot be read'}`,
    {
      hint: 'check the path, and that this user may read the file; varve key generate FILE makes a key',
      cause,
    },
  );
}
