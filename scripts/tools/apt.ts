import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const outputBytesMax = 64 * 1024 * 1024;

/** `apt-get`, one at a time: it does not wait for another one, and test files that need something run side by side. */
export async function aptGet(
  words: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const lock = join(tmpdir(), 'varve-apt-get.lock');
  // The machine's own updates may hold dpkg's lock for a while.
  const patient = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  await run('flock', [lock, 'apt-get', ...patient, ...words], { ...options, env, maxBuffer: outputBytesMax });
}

/** Debian packages as files below a folder: nothing is installed, and their dependencies are not there. */
export async function unpackDebian(packages: readonly string[], folder: string): Promise<void> {
  const download = async (): Promise<void> => aptGet(['download', ...packages], { cwd: folder });
  await download().catch(async () => {
    await aptGet(['update']);
    await download();
  });
  const names = await readdir(folder);
  for (const name of names.filter((each) => each.endsWith('.deb')))
    await run('dpkg', ['-x', join(folder, name), folder]);
}
