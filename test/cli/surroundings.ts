import { runCli, type Surroundings } from '../../src/cli/cli.ts';
import { systemHost } from '../../src/host/host.ts';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Around {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly columns?: number;
}

/** Runs a command line in this process, in the folder /here of a disk that holds only these files. */
export async function run(argv: readonly string[], around: Around = {}): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const given = surroundings(around, {
    stdout: async (chunk) => {
      stdout += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { status: await runCli(argv, given), stdout, stderr };
}

export function surroundings(around: Around, changes: Partial<Surroundings> = {}): Surroundings {
  const { env = {}, files = {}, columns = 80 } = around;
  const disk = Object.create(systemHost.disk, {
    readFile: {
      value: async (path: string) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
    },
  });
  return {
    host: { ...systemHost, disk },
    env,
    cwd: '/here',
    signal: new AbortController().signal,
    terminal: { stdin: false, stdout: false, stderr: false, columns },
    beginDraining: () => {},
    beginStreaming: () => {},
    beginOutliving: () => {},
    stdout: async () => {},
    stderr: () => {},
    readLine: async () => '',
    ...changes,
  };
}
