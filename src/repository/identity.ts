import { z } from 'zod';
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import type { Disk, Host } from '../host/host.ts';
import { repositoryFileName } from './layout.ts';
import { uuid } from './shapes.ts';
import { readIfThere, replaceWhole } from './steps.ts';
import { isUnfinished, unfinished } from './unfinished.ts';

/** `varve.json` of the repository: what it is and whose records it holds. Anybody may read it. */
export interface RepositoryIdentity {
  readonly format: 1;
  readonly repository: string;
  /** RFC 3339 */
  readonly created: string;
  /** Kafka's ids of the clusters, the first from the first cycle. */
  readonly clusters: readonly string[];
}

const schema = z.object({
  format: z.literal(1),
  repository: uuid,
  created: z.string(),
  clusters: z.array(z.string()),
});

/** Undefined where there is none. */
export async function findRepository(disk: Disk, folder: string): Promise<RepositoryIdentity | undefined> {
  const path = join(folder, repositoryFileName);
  const bytes = await readIfThere(disk, path);
  if (bytes === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw damaged(path, 'it is not JSON', cause);
  }
  const format: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'format') : undefined;
  if (typeof format === 'number' && format > 1) {
    throw new VarveError('no-repository', `${path}: expected format 1, got ${format}`, {
      hint: 'a newer varve made this repository: use that version',
    });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw damaged(path, z.prettifyError(parsed.error));
  return parsed.data;
}

export async function readRepositoryIdentity(disk: Disk, folder: string): Promise<RepositoryIdentity> {
  const identity = await findRepository(disk, folder);
  if (identity !== undefined) return identity;
  if (await isUnfinished(disk, folder)) throw unfinished('no-repository', folder);
  const isThere = (await disk.stat(folder)) !== undefined;
  const what = isThere ? 'it holds no varve.json' : 'there is no such folder';
  throw new VarveError('no-repository', `no repository in ${folder}: ${what}`, {
    hint: isThere
      ? 'check repository.dir and that the volume is mounted; varve init makes a new repository'
      : 'check repository.dir and that the volume is mounted',
  });
}

export async function writeRepositoryIdentity(
  host: Pick<Host, 'disk' | 'random'>,
  folder: string,
  identity: RepositoryIdentity,
): Promise<void> {
  await replaceWhole(host, join(folder, repositoryFileName), Buffer.from(`${JSON.stringify(identity)}\n`));
}

function damaged(path: string, what: string, cause?: unknown): VarveError {
  return new VarveError('damage', `${path}: ${what}`, {
    hint: 'put the file back from another copy of the repository; it says which repository this is',
    cause,
  });
}
