import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import type { JavaClient } from '../../scripts/kafka/kafka.ts';
import { systemHost } from '../../src/host/host.ts';
import { readJournals } from '../../src/restore/restore.ts';
import { until } from '../sink/processes.ts';
import type { Place } from './place.ts';

// The program itself and not its launcher: on an older Node that would start it as a child, which outlives a kill.
const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A command in a process of its own, to be stopped in any way. Killed when disposed. */
export class Running implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  static start(place: Pick<Place, 'folder'>, ...words: string[]): Running {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    return new Running(
      spawn(process.execPath, [program, ...words], { cwd: place.folder, stdio: [...stdio] }),
    );
  }

  /** On a terminal of its own, which is gone when this is killed. */
  static startInTerminal(place: Pick<Place, 'folder'>, ...words: string[]): Running {
    const line = [process.execPath, program, ...words].map((word) => `'${word}'`).join(' ');
    const args = ['--quiet', '--return', '--flush', '--command', line, '/dev/null'];
    return new Running(spawn('script', args, { cwd: place.folder, stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it has shown its plan and begins, or has ended: before that there is nothing to look for in Kafka. */
  async planned(): Promise<void> {
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('a child process without pipes');
    while (this.isRunning && !this.stdout.includes('into cluster'))
      await Promise.race([once(stdout, 'data'), this.#closed]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** As a terminal that goes away does. */
  hangUp(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.kill('SIGHUP');
  }

  async ended(): Promise<CommandEnd & { signal: NodeJS.Signals | null }> {
    await this.#closed;
    const { exitCode, signalCode } = this.#child;
    return { status: exitCode, signal: signalCode, stdout: this.stdout, stderr: this.stderr };
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** It runs for a moment between two looks and stands still behind the last: how fast the machine is does not matter. */
export async function runsUntil(what: string, running: Running, isSo: () => Promise<boolean>): Promise<void> {
  await until(what, async () => {
    running.signal('SIGSTOP');
    if (!running.isRunning || (await isSo())) return true;
    running.signal('SIGCONT');
    return false;
  });
  expect(running.isRunning, running.stderr).toBe(true);
}

/** Records that no codec makes smaller, in many small batches, and what a Java consumer sees of them. */
export async function givenRecords(
  java: JavaClient,
  o: { topic: string; partitions: number; count: number; configs?: Record<string, string> },
): Promise<string[]> {
  const { topic, partitions, count } = o;
  await java.createTopic({ topic, partitions, configs: o.configs ?? {} });
  await java.listOffsets(topic);
  const records = Array.from({ length: count }, (_, index) => ({
    partition: index % partitions,
    key: `k${index}`,
    value: randomBytes(400).toString('base64'),
  }));
  await java.produce({ topic, records, batchSize: 3000 });
  return java.consumeLines({ topic });
}

/** Equal record by record, and nothing twice. Compared by digest: a difference must not print megabytes. */
export async function expectSame(java: JavaClient, topic: string, before: readonly string[]): Promise<void> {
  const after = await java.consumeLines({ topic });
  const at = before.findIndex((line, index) => line !== after[index]);
  expect({ topic, count: after.length, firstDifference: at }).toEqual({
    topic,
    count: before.length,
    firstDifference: -1,
  });
  expect(digest(after)).toBe(digest(before));
}

/** How many records the topic holds; 0 where there is none. */
export async function writtenTo(java: JavaClient, topic: string): Promise<bigint> {
  try {
    const rows = await java.listOffsets(topic);
    return rows.reduce((sum, { latest }) => sum + latest, 0n);
  } catch {
    return 0n; // not made yet, or its leaders do not know it yet
  }
}

/** The restores that the local folder tells of, the newest last. */
export async function restoreIds({ local }: Pick<Place, 'local'>): Promise<string[]> {
  return (await readJournals(systemHost, local)).map(({ id }) => id);
}

function digest(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
