/** What a command prints, within bounds of time and length. Where it keeps to neither, all that it started ends with it. */
import { spawn } from 'node:child_process';
import { killGroup, type Clock } from '../host/host.ts';

export interface CommandEnd {
  readonly stdout: string;
  /** Why what it printed is not to be used. */
  readonly problem: string | undefined;
}

export async function runCommand(
  command: string,
  o: { clock: Pick<Clock, 'after'>; answerMaxMs: number; answerBytesMax: number },
): Promise<CommandEnd> {
  // In a group of its own, by which whatever it started is found.
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const printed = { out: '', err: '' };
  const endAll = (): void => {
    if (child.pid !== undefined) killGroup(child.pid);
  };
  process.once('exit', endAll);
  const stopped = Promise.withResolvers<string>();
  const timer = o.clock.after(o.answerMaxMs, () =>
    stopped.resolve(`gave no answer within ${o.answerMaxMs / 1000} s`),
  );
  const keep = (name: 'out' | 'err') => (chunk: string) => {
    printed[name] += chunk;
    if (printed[name].length > o.answerBytesMax)
      stopped.resolve(`printed more than ${o.answerBytesMax / 1024 / 1024} MiB`);
  };
  child.stdout.setEncoding('utf8').on('data', keep('out'));
  child.stderr.setEncoding('utf8').on('data', keep('err'));
  const ended = new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('close', (status) => resolve(status === 0 ? undefined : `ended with ${status ?? 'a signal'}`));
  });
  try {
    const problem = await Promise.race([ended, stopped.promise.finally(endAll)]);
    const told = printed.err.trim().split('\n').at(-1) ?? '';
    return { stdout: printed.out, problem: problem && `${problem}${told && `: ${told}`}` };
  } finally {
    timer.cancel();
    process.off('exit', endAll);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}
