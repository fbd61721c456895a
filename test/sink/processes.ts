import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Kafka } from '../../scripts/kafka/kafka.ts';
import { systemHost } from '../../src/host/host.ts';
import { positionOf, type PartitionKey } from '../../src/local/local.ts';
import { partitionFolder } from '../../src/local/layout.ts';
import { recoverPartition } from '../../src/local/recover.ts';
import type { Backup } from './backup.ts';

// The program itself and not its launcher: on an older Node that would start it as a child, which outlives a kill.
const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const pollEveryMs = 20;
const conditionWithinMs = 180_000;

export interface LogLine {
  readonly event: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tookMs: number;
}

/** A `varve run` in a process of its own, to be watched through its log and ended in any way. Killed when disposed. */
export class Daemon implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  /** What it printed that is no line of its log. */
  other = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  #isClosed = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close').then(() => {
      this.#isClosed = true;
      this.#look();
    });
    if (child.stderr === null) throw new Error('a child process without pipes');
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('{')) this.lines.push(JSON.parse(line));
      else this.other += `${line}\n`;
      this.#look();
    });
  }

  /** Returns at once: the process may still be starting. */
  static start(backup: Pick<Backup, 'folder'>, ...words: string[]): Daemon {
    const child = spawn(process.execPath, [program, 'run', ...words], {
      cwd: backup.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return Daemon.of(child);
  }

  /** One that somebody else has started, its log on a pipe. */
  static of(child: ChildProcess): Daemon {
    return new Daemon(child);
  }

  /** Returns when it follows the cluster. */
  static async following(backup: Pick<Backup, 'folder'>, ...words: string[]): Promise<Daemon> {
    const daemon = Daemon.start(backup, ...words);
    await daemon.logged('following');
    return daemon;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The first line of this event, from the given line on, that satisfies the condition; awaited if need be. */
  async logged(
    event: string,
    o: { from?: number; where?: (line: LogLine) => boolean } = {},
  ): Promise<LogLine> {
    const find = (): LogLine | undefined =>
      this.lines
        .slice(o.from ?? 0)
        .find((line) => line.event === event && (o.where === undefined || o.where(line)));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => finish(() => reject(this.#unmet(`no event ${event}`))),
        conditionWithinMs,
      );
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle();
      };
      const look = (): void => {
        if (find() !== undefined) finish(resolve);
        else if (this.#isClosed) finish(() => reject(this.#unmet(`it ended without the event ${event}`)));
      };
      this.#watchers.add(look);
      look();
    });
    const line = find();
    if (line === undefined) throw this.#unmet(`no event ${event}`);
    return line;
  }

  async ended(): Promise<ProcessEnd> {
    const beganMs = performance.now();
    await this.#closed;
    const { exitCode, signalCode } = this.#child;
    return { status: exitCode, signal: signalCode, tookMs: performance.now() - beganMs };
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #unmet(what: string): Error {
    const tail = this.lines.slice(-20).map((line) => JSON.stringify(line));
    return new Error(`${what}:\n${tail.join('\n')}\n${this.other}`);
  }
}

/** Changes the installation's configuration, section by section. */
export async function configure(
  backup: Pick<Backup, 'folder'>,
  change: Readonly<Record<string, object>>,
): Promise<void> {
  const path = join(backup.folder, 'varve.yaml');
  const config: Record<string, object> = JSON.parse(await readFile(path, 'utf8'));
  for (const [section, values] of Object.entries(change)) {
    config[section] = { ...config[section], ...values };
  }
  await writeFile(path, JSON.stringify(config));
}

/** Polls until the condition holds. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + conditionWithinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${conditionWithinMs} ms`);
    await delay(pollEveryMs);
  }
}

export interface Standing {
  readonly partition: number;
  readonly committed: bigint;
  /** Where a start would go on, by the files alone. */
  readonly recovered: bigint;
}

/** How far the group's commits are, and how far the files: to be asked while no process holds the folder. */
export async function standings(kafka: Kafka, backup: Backup, topic: string): Promise<Standing[]> {
  const java = await kafka.java();
  const { topicId } = await java.describeTopic(topic);
  const rows = (await java.listGroupOffsets(backup.group)).filter((row) => row.topic === topic);
  return Promise.all(
    rows.map(async ({ partition, offset }) => ({
      partition,
      committed: offset,
      recovered: await recoveredOffset(backup.localFolder, { topic, topicId, partition }),
    })),
  );
}

async function recoveredOffset(localFolder: string, key: PartitionKey): Promise<bigint> {
  const { coverage } = await recoverPartition(systemHost.disk, partitionFolder(localFolder, key));
  return positionOf(coverage)?.offset ?? -1n;
}

/** A small generator with a seed, so that a failure can be repeated. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
