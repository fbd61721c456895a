/** `<local.dir>/repository.json`: what this installation remembers of its repository, so that a roll-back is noticed. */
import { join } from 'node:path';
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import { replaceFile, type Host } from '../host/host.ts';

const count = z.number().int().nonnegative();
const schema = z.object({
  /** Empty until the first cycle has seen it. */
  repository: z.string(),
  instance: z.string(),
  newest: z.object({ id: z.string(), seq: count, digest: z.string() }).nullable(),
  /** The latest time that any cycle saw. */
  latestNowMs: count,
  /** When this installation first had a schedule to keep. */
  sinceMs: count,
  lastAttempt: z
    .object({
      atMs: count,
      outcome: z.enum(['published', 'failed']),
      code: z.string().optional(),
      message: z.string().optional(),
    })
    .nullable(),
  lastSuccess: z
    .object({
      atMs: count,
      id: z.string(),
      /** Why nothing expired in it. */
      held: z.array(z.object({ kind: z.string(), text: z.string() })).optional(),
    })
    .nullable(),
});

export type Memory = Readonly<z.infer<typeof schema>>;

const memoryName = 'repository.json';

export async function readMemory(host: Pick<Host, 'disk'>, localFolder: string): Promise<Memory | undefined> {
  const path = join(localFolder, memoryName);
  const bytes = await host.disk.readFile(path);
  if (bytes === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new VarveError('damage', `${path}: it is not what a cycle wrote there`, {
      hint: 'look at the disk; then remove the file: the next cycle trusts the repository as it finds it, and says so',
      cause,
    });
  }
}

export async function writeMemory(
  host: Pick<Host, 'disk' | 'random'>,
  localFolder: string,
  memory: Memory,
): Promise<void> {
  await replaceFile(host, join(localFolder, memoryName), Buffer.from(`${JSON.stringify(memory)}\n`));
}
