import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const launcher = fileURLToPath(new URL('../../bin/varve.js', import.meta.url));

export interface CommandEnd {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line as a person does, in a process of its own; aborted, it is interrupted and waited for. */
export async function varve(
  words: readonly string[],
  options: { cwd: string; show?: boolean; signal?: AbortSignal },
): Promise<CommandEnd> {
  const child = spawn(process.execPath, [launcher, ...words], {
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const interrupt = (): void => void child.kill('SIGINT');
  options.signal?.addEventListener('abort', interrupt);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (options.show === true) process.stderr.write(text);
  });
  const [status] = await once(child, 'close');
  options.signal?.removeEventListener('abort', interrupt);
  return { status: typeof status === 'number' ? status : null, stdout, stderr };
}
