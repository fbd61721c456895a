import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { launcher } from './varve.ts';

/** `varve run` in a process of its own, until it is disposed. */
export interface Daemon extends AsyncDisposable {
  /** Where it serves the page. */
  readonly address: string;
  /** SIGTERM; resolves to the exit status. */
  stop(): Promise<number | null>;
}

/** Returns when it listens and follows the cluster. */
export async function startDaemon(folder: string): Promise<Daemon> {
  const child = spawn(process.execPath, [launcher, 'run'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = once(child, 'close');
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    await closed;
    return child.exitCode;
  };
  const started = Promise.withResolvers<number>();
  const said: string[] = [];
  let port = 0;
  createInterface({ input: child.stderr })
    .on('line', (line) => {
      said.push(line);
      const { event, port: listening }: { event?: string; port?: number } = JSON.parse(line);
      if (event === 'listening') port = listening ?? 0;
      if (event === 'following') started.resolve(port);
    })
    .once('close', () => started.reject(new Error(`varve run ended:\n${said.slice(-5).join('\n')}`)));
  try {
    return {
      address: `http://127.0.0.1:${await started.promise}/`,
      stop,
      [Symbol.asyncDispose]: async () => void (await stop()),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
