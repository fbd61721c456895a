import { join } from 'node:path';
import { firstError, VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { slotFiles } from './keys.ts';
import { repositoryFileName } from './layout.ts';
import { readMemory } from './memory.ts';
import { mountOf, mountText } from './mounts.ts';

/**
 * Where this installation has published, a folder that holds nothing of a repository is a volume that is not mounted:
 * what to say in place of `no-repository`. Any other error is itself.
 */
export async function orUnmounted(
  thrown: unknown,
  host: Pick<Host, 'disk'>,
  { folder, localFolder }: { folder: string; localFolder: string | undefined },
): Promise<unknown> {
  const error = firstError(thrown);
  const isGone = error instanceof VarveError && error.code === 'no-repository';
  if (!isGone || localFolder === undefined) return thrown;
  const memory = await readMemory(host, localFolder).catch(() => undefined); // told by whoever needs it
  if (memory === undefined || memory.repository === '') return thrown;
  const isThere = await host.disk.stat(join(folder, repositoryFileName));
  if (isThere !== undefined || (await slotFiles(host.disk, folder)).length > 0) return thrown;
  const newest = memory.newest === null ? '' : ` with snapshot ${memory.newest.id}`;
  const mount = await mountOf(host.disk, folder);
  const instead = mount === undefined ? '' : `; that path is on ${mountText(mount)} now`;
  return new VarveError(
    'target-unusable',
    `${error.message}; this installation knows repository ${memory.repository}${newest} there${instead}`,
    {
      hint: 'mount the volume of repository.dir, then run the command again; what is read from Kafka stays on the local disk meanwhile',
      cause: error,
    },
  );
}
