import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface Held {
  readonly pid: number;
  /** A kill does not end it as long as what it waits for gives no answer. */
  readonly isUninterruptible: boolean;
}

/** The processes that were begun in a folder, those that were killed and cannot end among them. */
export async function processesIn(folder: string): Promise<Held[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map(async (pid) => lookAt(pid, folder)));
  return found.filter((process) => process !== undefined);
}

/** Of one that was killed only the threads that wait still know where it was. */
async function lookAt(pid: string, folder: string): Promise<Held | undefined> {
  const tasks = join('/proc', pid, 'task');
  const threads = await readdir(tasks).catch(() => []);
  const rows = await Promise.all(
    threads.map(async (thread) => ({
      where: await readlink(join(tasks, thread, 'cwd')).catch(() => undefined),
      status: await readFile(join(tasks, thread, 'status'), 'utf8').catch(() => ''),
    })),
  );
  if (!rows.some(({ where }) => where === folder)) return undefined;
  return { pid: Number(pid), isUninterruptible: rows.some(({ status }) => status.includes('\nState:\tD')) };
}
