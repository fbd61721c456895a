import { constants, tmpdir } from 'node:os';
import { constants as moduleConstants, enableCompileCache } from 'node:module';
import { join } from 'node:path';
import type { Surroundings } from './cli/cli.ts';

/**
 * Words in, exit status out. The only place that ends the process: at the end, when a signal comes to a command that
 * does not drain, at the second signal of one that does, and when the reader of a stream is gone.
 */
// A disk that is slow to sync holds a thread for each file it syncs: the writes beside it need threads of their own.
process.env['UV_THREADPOOL_SIZE'] ??= '16';
// What the image brings compiled is of use to one user on one kind of processor; others keep their own.
if (enableCompileCache().status === moduleConstants.compileCacheStatus.FAILED)
  enableCompileCache(join(tmpdir(), 'node-compile-cache'));
const { runCli, Signals } = await import('./cli/cli.ts');
const { boundYoungGeneration, systemHost } = await import('./host/host.ts');
boundYoungGeneration();

const aborter = new AbortController();
const signals = new Signals();

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    const answer = signals.answer(signal, performance.now());
    if (answer === 'end') process.exit(128 + constants.signals[signal]);
    if (answer === 'abort') aborter.abort({ signal });
  });
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Of a terminal that went away it is EIO.
  const isReaderGone = error.code === 'EPIPE' || (error.code === 'EIO' && process.stdout.isTTY);
  if (!isReaderGone) process.exit(1);
  if (signals.streaming) process.exit(0);
});
// Where stderr is gone there is nobody left to tell.
process.stderr.on('error', () => {});

// kafkajs sets timers in the past, and Node says so each time; nobody can do anything about it here.
const emitWarning = process.emitWarning.bind(process);
process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
  const [type] = rest;
  if (type !== 'TimeoutNegativeWarning') Reflect.apply(emitWarning, process, [warning, ...rest]);
};

process.on('uncaughtException', endAfterCrash);
process.on('unhandledRejection', endAfterCrash);

const status = await runCli(process.argv.slice(2), surroundings());
process.stdout.write('', () => process.exit(status));

function surroundings(): Surroundings {
  return {
    host: systemHost,
    env: process.env,
    cwd: process.cwd(),
    signal: aborter.signal,
    terminal: {
      stdin: process.stdin.isTTY,
      stdout: process.stdout.isTTY,
      stderr: process.stderr.isTTY,
      columns: Math.max(40, process.stdout.columns ?? 80),
    },
    beginDraining: () => signals.beginDraining(),
    beginStreaming: () => signals.beginStreaming(),
    // Without a listener it would end the process.
    beginOutliving: () => void process.on('SIGHUP', () => undefined),
    stdout: writeOut,
    stderr: (text) => void process.stderr.write(text),
    readLine,
  };
}

async function writeOut(chunk: string | Uint8Array): Promise<void> {
  if (process.stdout.destroyed || process.stdout.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      process.stdout.off('drain', finish);
      process.stdout.off('close', finish);
      resolve();
    };
    process.stdout.on('drain', finish);
    process.stdout.on('close', finish);
  });
}

async function readLine(prompt: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(prompt, { signal: aborter.signal });
  } finally {
    lines.close();
  }
}

function endAfterCrash(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`varve: a fault in this program; please report it\n${text}\n`);
  process.exit(1);
}
