import { dirname } from 'node:path';
import type { Disk } from '../host/host.ts';

/** A file system, as the kernel has it mounted. */
export interface Mount {
  readonly at: string;
  readonly type: string;
  readonly source: string;
  readonly options: ReadonlySet<string>;
}

/** The mount that holds the folder, by the kernel's own table: reading that never touches the mount itself. */
export async function mountOf(disk: Disk, folder: string): Promise<Mount | undefined> {
  const table = await disk.readFile('/proc/self/mountinfo');
  if (table === undefined) return undefined;
  const mounts = table
    .toString('utf8')
    .split('\n')
    .flatMap((line): Mount[] => {
      const match = /^\S+ \S+ \S+ \S+ (\S+) (\S+).* - (\S+) (\S+) (\S+)/.exec(line);
      if (match === null) return [];
      const [, at = '', own = '', type = '', source = '', more = ''] = match;
      const options = new Set([...own.split(','), ...more.split(',')]);
      return [{ at: unescaped(at), type, source: unescaped(source), options }];
    });
  for (let at = folder; ; at = dirname(at)) {
    const here = at;
    const mount = mounts.findLast((known) => known.at === here);
    if (mount !== undefined || dirname(at) === at) return mount;
  }
}

export function mountText({ type, source, at }: Mount): string {
  return `${type} from ${source} at ${at}`;
}

/** Blanks and the like stand in the table as `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
