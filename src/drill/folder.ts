/** `<local.dir>/drills`: one drill at a time, the journal of what it made, and what the last one came to. */
import { join } from 'node:path';
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import { ensureFolder, replaceFile, type Host } from '../host/host.ts';
import { lockFolder } from '../local/local.ts';

export function drillsFolder(localFolder: string): string {
  return join(localFolder, 'drills');
}

/** Held until it is disposed, and at once free after a kill. */
export async function holdDrills(host: Host, folder: string): Promise<AsyncDisposable> {
  await ensureFolder(host.disk, folder);
  try {
    return await lockFolder(host, folder, async (_request, reply) =>
      reply({ process: process.pid, command: 'drill' }),
    );
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'locked') throw error;
    throw new VarveError('locked', `another drill of this installation is running: ${error.message}`, {
      hint: 'wait until it has ended; two at once would only take the disk and the brokers from each other',
      retryable: true,
      cause: error,
    });
  }
}

const count = z.number().int().nonnegative();
const schema = z.object({
  atMs: count,
  passed: z.boolean(),
  tookMs: count,
  /** When the last one that passed began. */
  passedMs: count.nullable(),
});

export type LastDrill = Readonly<z.infer<typeof schema>>;

/** What the last drill from this local folder came to. The repository has it, too, and for longer. */
export async function readLastDrill(
  host: Pick<Host, 'disk'>,
  localFolder: string,
): Promise<LastDrill | undefined> {
  const bytes = await host.disk.readFile(lastPath(drillsFolder(localFolder)));
  if (bytes === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined; // written anew by the next one
  }
}

export async function writeLastDrill(
  host: Pick<Host, 'disk' | 'random'>,
  localFolder: string,
  { atMs, passed, tookMs }: { atMs: number; passed: boolean; tookMs: number },
): Promise<void> {
  const before = await readLastDrill(host, localFolder);
  const last: LastDrill = { atMs, passed, tookMs, passedMs: passed ? atMs : (before?.passedMs ?? null) };
  await replaceFile(host, lastPath(drillsFolder(localFolder)), Buffer.from(`${JSON.stringify(last)}\n`));
}

function lastPath(folder: string): string {
  return join(folder, 'last.json');
}
