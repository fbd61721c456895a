import { join } from 'node:path';
import { firstError, VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { slotFiles } from './keys.ts';
import { repositoryFileName } from './layout.ts';
import { readMemory } from './memory.ts';
import { mountOf, mountText } from './mounts.ts';

/**
 * Where this installation has published, a folder that holds nothing of a repository is a volume that is not mounted:
 * what to say in place of `no-repository`. Any other error is itself, and so is this one where looking fails.
 */
export async function orUnmounted(
  thrown: unknown,
  host: Pick<Host, 'disk'>,
  o: { folder: string; localFolder: string | undefined },
): Promise<unknown> {
  const error = firstError(thrown);
  if (!(error instanceof VarveError) || error.code !== 'no-repository') return thrown;
  const expected = await missed(host, o).catch(() => undefined);
  if (expected === undefined) return thrown;
  return new VarveError('target-unusable', `${error.message}; ${expected}`, {
    hint: 'mount the volume of repository.dir, or correct that path, then run the command again; what is read from Kafka stays on the local disk meanwhile',
    cause: error,
  });
}

/** What should be there, and what is there instead; undefined where nothing is missed. */
async function missed(
  host: Pick<Host, 'disk'>,
  { folder, localFolder }: { folder: string; localFolder: string | undefined },
): Promise<string | undefined> {
  const memory = localFolder === undefined ? undefined : await readMemory(host, localFolder);
  if (memory === undefined || memory.repository === '') return undefined;
  const isThere = (await host.disk.stat(join(folder, repositoryFileName))) !== undefined;
  if (isThere || (await slotFiles(host.disk, folder)).length > 0) return undefined;
  const newest = memory.newest === null ? '' : ` with snapshot ${memory.newest.id}`;
  const mount = await mountOf(host.disk, folder);
  const instead = mount === undefined ? '' : `; that path is on ${mountText(mount)} now`;
  return `this installation knows repository ${memory.repository}${newest}${instead}`;
}
