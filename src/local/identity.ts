import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import { replaceFile, type Disk, type Random } from '../host/host.ts';

/** `<local.dir>/varve.json`: whose files these are. */
export interface Identity {
  readonly format: 1;
  /** Made with the folder; tells two folders of one name apart. */
  readonly installation: string;
  readonly instance: string;
  /** The Kafka cluster these files come from; null until the first contact. */
  readonly cluster: string | null;
  /** The repository they are published to; null until there is one. */
  readonly repository: string | null;
}

const identityName = 'varve.json';

export async function readIdentity(disk: Disk, folder: string): Promise<Identity | undefined> {
  const path = join(folder, identityName);
  const bytes = await disk.readFile(path);
  if (bytes === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw damaged(path, 'it is not JSON', cause);
  }
  if (typeof parsed !== 'object' || parsed === null || !('format' in parsed))
    throw damaged(path, 'no format');
  if (parsed.format !== 1) {
    throw new VarveError(
      'no-repository',
      `${path}: expected format 1, got ${JSON.stringify(parsed.format)}`,
      {
        hint: 'a newer varve wrote this folder: use that version',
      },
    );
  }
  return parseIdentity(path, parsed);
}

function parseIdentity(path: string, parsed: object): Identity {
  const text = (name: string): string | null => {
    const value: unknown = Reflect.get(parsed, name);
    if (value === null || value === undefined || typeof value === 'string') return value ?? null;
    throw damaged(path, `${name} is not text`);
  };
  const installation = text('installation');
  if (installation === null) throw damaged(path, 'no installation');
  const instance = text('instance') ?? 'main';
  return { format: 1, installation, instance, cluster: text('cluster'), repository: text('repository') };
}

export async function writeIdentity(
  ports: { disk: Disk; random: Random },
  folder: string,
  identity: Identity,
): Promise<void> {
  await replaceFile(ports, join(folder, identityName), Buffer.from(`${JSON.stringify(identity)}\n`));
}

function damaged(path: string, what: string, cause?: unknown): VarveError {
  return new VarveError('damage', `${path}: ${what}`, {
    hint: 'put the file back from a copy of the disk; it says whose files these are',
    cause,
  });
}
