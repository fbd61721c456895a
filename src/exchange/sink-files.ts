/** Files of a Kafka Connect FileStreamSink: one value on each line, plain or gzipped, in the order of their names. */
import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { matchesGlob } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import { timeOfLine } from './line-time.ts';
import { fileBehind, readable, readLines } from './sink-bytes.ts';

export interface SinkRequest {
  /** Paths whose last part may be a glob. */
  readonly files: readonly string[];
  /** What relative paths begin at. */
  readonly folder: string;
  /** The field of each value that tells its time. */
  readonly timeField: string | undefined;
  readonly fromMs: bigint | undefined;
  readonly toMs: bigint | undefined;
}

export interface SinkFile {
  readonly path: string;
  readonly byteLength: number;
  readonly lines: number;
}

/** What the files hold, and what of it was asked for. */
export interface SinkCounts {
  readonly files: readonly SinkFile[];
  readonly selected: number;
  readonly before: number;
  readonly behind: number;
  /** Selected whatever the range is: nothing tells when they were. */
  readonly withoutTime: number;
  /** Whose time has no zone, and was taken for UTC. */
  readonly withoutZone: number;
  /** Last lines of files that stop without a line end. */
  readonly unfinished: readonly string[];
  readonly longestBytes: number;
  readonly firstMs: bigint | undefined;
  readonly lastMs: bigint | undefined;
  /** Of the contents of the files up to each one's end, in order. */
  readonly digests: readonly string[];
}

export interface SinkLine {
  readonly value: Buffer;
  /** Undefined where no field was named, or the line has none. */
  readonly ms: bigint | undefined;
}

/** Reads everything once. */
export async function readSinkFiles(
  disk: Disk,
  request: SinkRequest,
  o: { signal: AbortSignal; onLines: (count: number) => void },
): Promise<SinkCounts> {
  const counter = new Counter(request);
  const hash = createHash('sha256');
  const files: SinkFile[] = [];
  const digests: string[] = [];
  for (const path of await findSinkFiles(disk, request)) {
    let count = 0;
    for await (const { lines, isUnfinished } of readLines(disk, path, hash)) {
      o.signal.throwIfAborted();
      for (const line of lines) counter.take(line);
      if (isUnfinished) counter.unfinished.push(path);
      count += lines.length;
      o.onLines(lines.length);
    }
    const { byteLength } = await fileBehind(disk, path);
    files.push({ path, byteLength, lines: count });
    digests.push(hash.copy().digest('hex'));
  }
  return { ...counter.counts(), files, digests };
}

/** The lines that were asked for, many at a time. Throws where the files are no longer those that were counted. */
export async function* selectedLines(
  disk: Disk,
  request: SinkRequest,
  { files, digests }: SinkCounts,
): AsyncGenerator<readonly SinkLine[], void, undefined> {
  const counter = new Counter(request);
  const hash = createHash('sha256');
  for (const [index, { path }] of files.entries()) {
    try {
      for await (const { lines } of readLines(disk, path, hash)) {
        const selected = lines.flatMap((line) => counter.take(line) ?? []);
        if (selected.length > 0) yield selected;
      }
    } catch (error) {
      // The first reading found none.
      throw error instanceof VarveError ? changed(path, error) : error;
    }
    if (hash.copy().digest('hex') !== digests[index]) throw changed(path);
  }
}

/** No damage: that has a readable place behind it, which a restore would look for. */
function changed(path: string, cause?: VarveError): VarveError {
  return new VarveError('interrupted', `${path}: it changed between being counted and being read`, {
    hint: 'stop whatever writes these files, or name copies of them, and begin again with --recreate',
    cause,
  });
}

class Counter {
  readonly unfinished: string[] = [];
  readonly #request: SinkRequest;
  #selected = 0;
  #before = 0;
  #behind = 0;
  #withoutTime = 0;
  #withoutZone = 0;
  #longestBytes = 0;
  #firstMs: bigint | undefined;
  #lastMs: bigint | undefined;

  constructor(request: SinkRequest) {
    this.#request = request;
  }

  /** Undefined where the times leave it out. */
  take(value: Buffer): SinkLine | undefined {
    const { timeField, fromMs, toMs } = this.#request;
    const time = timeField === undefined ? undefined : timeOfLine(value, timeField);
    const ms = time?.kind === 'time' ? time.ms : undefined;
    if (time?.kind === 'time' && !time.hasZone) this.#withoutZone += 1;
    if (time?.kind === 'none') this.#withoutTime += 1;
    if (ms !== undefined && fromMs !== undefined && ms < fromMs) this.#before += 1;
    else if (ms !== undefined && toMs !== undefined && ms >= toMs) this.#behind += 1;
    else {
      this.#selected += 1;
      this.#longestBytes = Math.max(this.#longestBytes, value.length);
      if (ms !== undefined && (this.#firstMs === undefined || ms < this.#firstMs)) this.#firstMs = ms;
      if (ms !== undefined && (this.#lastMs === undefined || ms > this.#lastMs)) this.#lastMs = ms;
      return { value, ms };
    }
    return undefined;
  }

  counts(): Omit<SinkCounts, 'files' | 'digests'> {
    return {
      selected: this.#selected,
      before: this.#before,
      behind: this.#behind,
      withoutTime: this.#withoutTime,
      withoutZone: this.#withoutZone,
      unfinished: this.unfinished,
      longestBytes: this.#longestBytes,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
    };
  }
}

/** Each once, in the order of the globs, and of the names within one: numbers in names count as numbers. */
/** In order; at least one for each glob. */
export async function findSinkFiles(disk: Disk, { files, folder }: SinkRequest): Promise<string[]> {
  const found = new Set<string>();
  for (const glob of files) {
    const path = resolve(folder, glob);
    const within = dirname(path);
    const entries = (await readable(within, async () => disk.list(within))) ?? [];
    const matching = entries
      .filter(({ name, kind }) => kind !== 'folder' && matchesGlob(basename(path), name))
      .map(({ name }) => name)
      .toSorted(byName);
    if (matching.length === 0) {
      throw new VarveError('nothing-selected', `--files: no file is called ${JSON.stringify(glob)}`, {
        hint: 'a glob has * and ? in its last part; put it in quotes so that the shell leaves it alone',
      });
    }
    for (const name of matching) found.add(join(within, name));
  }
  return [...found];
}

const byNumbers = new Intl.Collator('en', { numeric: true });

/** The same order always, as the same command has to go on: `sink.1` and `sink.01` are equal as numbers. */
function byName(a: string, b: string): number {
  return byNumbers.compare(a, b) || (a < b ? -1 : 1);
}
