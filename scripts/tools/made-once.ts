import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';

/**
 * `path`, made by `make` in a folder beside it if it is not there yet. It appears by a rename, so that of two processes
 * that make it at once the later one finds the name taken and uses it.
 */
export async function madeOnce(path: string, make: (target: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  const target = await mkdtemp(`${path}.making-`);
  try {
    await make(target);
    await rename(target, path);
  } catch (error) {
    await rm(target, { recursive: true, force: true });
    // Renaming onto a folder that holds something fails: another process was faster, with the same content.
    if (!existsSync(path)) throw error;
  }
  return path;
}
