import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import type { Isolation, JavaClient, Kafka, TopicDescription } from '../../scripts/kafka/kafka.ts';
import { varveHere } from '../cli/here.ts';

export interface BackupOptions {
  readonly include: readonly string[];
  readonly segmentBytes?: string;
  readonly inFlightBytes?: string;
}

export interface Summary {
  readonly status: number | null;
  readonly stderr: string;
  readonly topics: number;
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly gaps: readonly object[];
  readonly openTransactions: readonly { topic: string; partition: number; from: string; to: string }[];
  readonly missing: readonly object[];
}

export interface Segment {
  /** Below the local folder. */
  readonly name: string;
  readonly path: string;
  readonly byteLength: number;
}

/** Read before the program: the process kills itself, since nobody who looks on from outside is sure to be in time. */
function killedBy(bytes: number): string {
  const script = `
    import { open } from 'node:fs/promises';
    const file = await open('/dev/null');
    const handle = Object.getPrototypeOf(file);
    await file.close();
    const { writev } = handle;
    let left = ${bytes};
    handle.writev = async function (...given) {
      const done = await writev.apply(this, given);
      left -= done.bytesWritten;
      if (left <= 0) process.kill(process.pid, 'SIGKILL');
      return done;
    };`;
  return `data:text/javascript,${encodeURIComponent(script)}`;
}

const launcher = fileURLToPath(new URL('../../bin/varve.js', import.meta.url));
let made = 0;

/** An installation of its own, with a temporary folder, whose commands run as a person runs them. */
export class Backup implements AsyncDisposable {
  readonly kafka: Kafka;
  readonly folder: string;
  readonly group: string;

  private constructor(kafka: Kafka, folder: string, group: string) {
    this.kafka = kafka;
    this.folder = folder;
    this.group = group;
  }

  static async of(kafka: Kafka, options: BackupOptions): Promise<Backup> {
    const folder = await mkdtemp(join(tmpdir(), 'varve-exact-'));
    const name = `exact-${process.pid}-${made++}`;
    const config = {
      name,
      kafka: { brokers: kafka.bootstrap.split(',') },
      topics: { include: options.include },
      local: { dir: join(folder, 'local'), minFree: '16MiB', segmentBytes: options.segmentBytes ?? '256MiB' },
      sink: { inFlightBytes: options.inFlightBytes ?? '64MiB' },
    };
    await writeFile(join(folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
    return new Backup(kafka, folder, `varve-${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  get localFolder(): string {
    return join(this.folder, 'local');
  }

  async identity(): Promise<{ installation: string }> {
    return JSON.parse(await readFile(join(this.localFolder, 'varve.json'), 'utf8'));
  }

  async run(...words: string[]): Promise<CommandEnd> {
    return varveHere(words, { cwd: this.folder });
  }

  /** One `varve backup`; what it printed last. */
  async catchUp(): Promise<Summary> {
    const { status, stdout, stderr } = await this.run('backup', '--no-snapshot', '--json');
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    if (!last.includes('"type":"summary"'))
      throw new Error(`backup ended with ${status}: ${stdout}${stderr}`);
    const summary: Omit<Summary, 'status' | 'stderr'> = JSON.parse(last);
    return { ...summary, status, stderr };
  }

  /** A backup that is killed as soon as it has written so many bytes; the signal that ended it. */
  async killedBehind(bytes: number): Promise<NodeJS.Signals | null> {
    const words = [`--import=${killedBy(bytes)}`, launcher, 'backup', '--no-snapshot'];
    const child = spawn(process.execPath, words, { cwd: this.folder, stdio: 'ignore' });
    await once(child, 'exit');
    return child.signalCode;
  }

  /** The lines that `varve cat` prints. */
  async lines(topic: string): Promise<string[]> {
    const { status, stdout, stderr } = await this.run('cat', '--topic', topic, '--json');
    if (status !== 0) throw new Error(`cat ended with ${status}: ${stderr}`);
    return linesOf(stdout);
  }

  /** The law: what a committed reader sees is what the files hold. Returns how many records that are. */
  async expectExact(topic: string): Promise<number> {
    const java = await this.kafka.java();
    const isolation: Isolation = 'read_committed';
    const expected = await java.consumeLines({ topic, isolation });
    const found = await this.lines(topic);
    // The whole is compared by digest first: a failure then shows the first line that differs and not megabytes.
    if (digest(found) !== digest(expected)) {
      const at = expected.findIndex((line, index) => line !== found[index]);
      const counts = `${topic}: ${found.length} records in the files, ${expected.length} in Kafka`;
      expect({ counts, line: found[at] ?? found[expected.length] }).toEqual({ counts, line: expected[at] });
    }
    return found.length;
  }

  /** Of one topic, or one partition of it, in the order of their offsets. */
  async segments(topic: string, partition = 0): Promise<Segment[]> {
    const root = join(this.localFolder, 'topics', topic);
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.name.endsWith('.log'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => relative(root, path).split('/')[1] === String(partition))
      .toSorted((a, b) => (a.slice(-24) < b.slice(-24) ? -1 : 1));
    return Promise.all(
      paths.map(async (path) => ({
        path,
        name: relative(root, path).split('/').slice(2).join('/'),
        byteLength: (await stat(path)).size,
      })),
    );
  }
}

/**
 * Returns when the broker leads every partition, which is a moment after it says so. A producer that comes in between and
 * has two batches on their way gets the second one in before the first, and then tries the first for ever.
 */
export async function createTopic(
  java: JavaClient,
  topic: Parameters<JavaClient['createTopic']>[0],
): Promise<TopicDescription> {
  const description = await java.createTopic(topic);
  await java.listOffsets(topic.topic);
  return description;
}

/** The broker's own log of a partition, its segments one behind the other. */
export async function brokerLog(kafka: Kafka, topic: string, partition = 0): Promise<Buffer> {
  const folder = join(kafka.brokers[0]?.logDir ?? '', `${topic}-${partition}`);
  const names = (await readdir(folder)).filter((name) => /^\d{20}\.log$/.test(name)).toSorted();
  return Buffer.concat(await Promise.all(names.map(async (name) => readFile(join(folder, name)))));
}

export async function concatenated(segments: readonly Segment[]): Promise<Buffer> {
  return Buffer.concat(await Promise.all(segments.map(async ({ path }) => readFile(path))));
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

function digest(lines: readonly string[]): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(`${line}\n`);
  return hash.digest('hex');
}
