import { crc32c } from '@node-rs/crc32';
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import { replaceFile, type Disk, type DiskFile, type Random } from '../host/host.ts';
import type { Coverage } from './coverage.ts';

/**
 * The journal of one partition: a text file of lines, each the whole coverage as it was when the line was written.
 *
 *   <CRC-32C of the rest, 8 hex digits> <JSON>\n
 *   {"ranges":[["0","4711"]],"epochs":[[3,"0"]],"gaps":[["40","50","2026-11-01T…Z"]],"truncations":[["90",6,"…"]]}
 *
 * The last whole line holds. A torn last line is what a crash leaves and is dropped; a bad line with good ones behind
 * it, or with none before it, is damage. When the file has grown it is replaced as a whole.
 */
const journalName = 'journal';
const bytesBeforeRewriteMax = 64 * 1024;

export class Journal implements AsyncDisposable {
  readonly #ports: { disk: Disk; random: Random };
  readonly #path: string;
  #file: DiskFile;
  #byteLength: number;

  private constructor(
    ports: { disk: Disk; random: Random },
    path: string,
    at: { file: DiskFile; byteLength: number },
  ) {
    this.#ports = ports;
    this.#path = path;
    this.#file = at.file;
    this.#byteLength = at.byteLength;
  }

  /**
   * Opens a partition's journal, or begins it, so that this coverage is its last line. Its folder must exist.
   *
   * Lines that a killed process, or one whose sync failed, had appended may be in the page cache only: they are not
   * appended to but replaced. A journal of one line was made that way and is known to be on disk.
   */
  static async open(
    ports: { disk: Disk; random: Random },
    partitionFolder: string,
    coverage: Coverage,
  ): Promise<Journal> {
    const path = join(partitionFolder, journalName);
    const line = formatLine(coverage);
    const bytes = await ports.disk.readFile(path);
    if (bytes?.equals(line)) await ports.disk.syncFolder(partitionFolder);
    else await replaceFile(ports, path, line);
    const file = await ports.disk.open(path, 'update');
    return new Journal(ports, path, { file, byteLength: line.length });
  }

  /** Durable when it resolves. */
  async write(coverage: Coverage): Promise<void> {
    const line = formatLine(coverage);
    if (this.#byteLength > Math.max(bytesBeforeRewriteMax, 4 * line.length)) {
      await replaceFile(this.#ports, this.#path, line);
      await this.#file.close();
      this.#file = await this.#ports.disk.open(this.#path, 'update');
      this.#byteLength = line.length;
      return;
    }
    await this.#file.write([line], this.#byteLength);
    await this.#file.sync();
    this.#byteLength += line.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** When it was last written to; undefined where there is none. */
export async function journalledMs(disk: Disk, partitionFolder: string): Promise<number | undefined> {
  return (await disk.stat(join(partitionFolder, journalName)))?.modifiedMs;
}

/** The coverage a partition's journal tells, or undefined where there is no journal. */
export async function readJournal(disk: Disk, partitionFolder: string): Promise<Coverage | undefined> {
  const path = join(partitionFolder, journalName);
  const bytes = await disk.readFile(path);
  return bytes === undefined ? undefined : parseJournal(bytes, path);
}

export function parseJournal(bytes: Buffer, path: string): Coverage {
  const lines = bytes.toString('utf8').split('\n');
  lines.pop(); // behind the last line end: nothing, or a torn line
  let coverage: Coverage | undefined;
  let badLine: number | undefined;
  for (const [index, line] of lines.entries()) {
    const parsed = parseLine(line);
    if (parsed === undefined) badLine ??= index + 1;
    else if (badLine !== undefined) throw damaged(path, badLine);
    else coverage = parsed;
  }
  // The first line came with the file, whole: to believe in nothing would be to throw all segments away.
  if (coverage === undefined) throw damaged(path, 1);
  return coverage;
}

function damaged(path: string, line: number): VarveError {
  return new VarveError('damage', `journal ${path}: line ${line} does not match its checksum`, {
    hint: 'restore this file from a copy of the disk, or move the partition folder away to begin it anew',
  });
}

function formatLine(coverage: Coverage): Buffer {
  const json = JSON.stringify({
    ranges: coverage.ranges.map((range) => [String(range.from), String(range.to)]),
    epochs: coverage.epochs.map((start) => [start.epoch, String(start.from)]),
    gaps: coverage.gaps.map((gap) => [String(gap.from), String(gap.to), gap.at]),
    truncations: coverage.truncations.map((cut) => [String(cut.offset), cut.epoch, cut.at]),
  });
  return Buffer.from(`${checksum(json)} ${json}\n`);
}

function checksum(text: string): string {
  return crc32c(text).toString(16).padStart(8, '0');
}

interface JournalLine {
  readonly ranges: readonly [string, string][];
  readonly epochs: readonly [number, string][];
  readonly gaps: readonly [string, string, string][];
  readonly truncations: readonly [string, number, string][];
}

function parseLine(line: string): Coverage | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(json)) return undefined;
  // The checksum holds, so this is what formatLine wrote.
  const parsed: JournalLine = JSON.parse(json);
  return {
    ranges: parsed.ranges.map(([from, to]) => ({ from: BigInt(from), to: BigInt(to) })),
    epochs: parsed.epochs.map(([epoch, from]) => ({ epoch, from: BigInt(from) })),
    gaps: parsed.gaps.map(([from, to, at]) => ({ from: BigInt(from), to: BigInt(to), at })),
    truncations: parsed.truncations.map(([offset, epoch, at]) => ({ offset: BigInt(offset), epoch, at })),
  };
}
