/** Topics of a backup as one tar of Kafka's own segments, for other programs and other places. */
import { createHash } from 'node:crypto';
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { CoveredBatch } from '../local/local.ts';
import { keyOfBody, nextOffsetOf, rawRecords, retainRecords, type RawRecord } from '../log/log.ts';
import { tarEnd, tarHeader, tarPadding, type SavedGroups } from '../repository/repository.ts';
import { readMerged, type Copy, type Life, type Range, type Stretches } from '../restore/restore.ts';
import {
  documentName,
  formatDocument,
  segmentName,
  sumsName,
  textBytesMax,
  type Excerpt,
  type ExportedPartition,
  type ExportedTopic,
} from './export-layout.ts';
import { FreshFile } from './fresh-file.ts';

export interface ExportSource {
  readonly life: Life;
  readonly partitions: readonly {
    readonly partition: number;
    readonly copies: readonly Copy[];
    readonly plan: Stretches;
  }[];
}

export interface ExportRequest {
  readonly path: string;
  readonly excerpt: Excerpt | null;
  readonly groups: SavedGroups | null;
  readonly tool: string;
}

export interface ExportPorts {
  readonly host: Host;
  readonly signal: AbortSignal;
  readonly onRecords: (count: number, bytes: number) => void;
  readonly check: (written: readonly ExportedTopic[]) => Promise<void>;
}

export interface Exported {
  readonly topics: readonly ExportedTopic[];
  readonly byteLength: number;
  /** Null where no snapshot tells any. */
  readonly groupCount: number | null;
}

/** A segment is kept in memory until its length is known. */
const segmentBytesMax = 32 * 1024 * 1024;

/** `check` is told of all that was read, and may throw: then there is no file. */
export async function writeExport(
  sources: readonly ExportSource[],
  request: ExportRequest,
  ports: ExportPorts,
): Promise<Exported> {
  await using file = await FreshFile.create(ports.host, request.path);
  const tar = new TarWriter(file);
  const topics: ExportedTopic[] = [];
  for (const source of sources) {
    const { topic, topicId, firstSeen, cluster, settings } = source.life;
    const partitions: ExportedPartition[] = [];
    for (const row of source.partitions) {
      const records = await writePartition(tar, { source, row, excerpt: request.excerpt }, ports);
      const ranges = row.plan.stretches.map(({ from, to }) => ({ from, to }));
      partitions.push({
        partition: row.partition,
        records,
        ranges: joined(ranges),
        missing: joined(row.plan.missing),
        expired: joined(row.plan.expired),
        gaps: joined(row.plan.gaps),
      });
    }
    const head = { firstSeen: firstSeen ?? null, cluster: cluster ?? null, settings: settings ?? null };
    topics.push({ topic, topicId, ...head, partitions });
  }
  await ports.check(topics);
  const { excerpt, tool } = request;
  const groups = groupsOn(request.groups, topics);
  const exportedMs = ports.host.clock.nowMs();
  const document = formatDocument({ format: 1, tool, exportedMs, excerpt, topics, groups });
  assertReadable(documentName, document);
  await tar.add(documentName, [document]);
  await tar.end();
  await file.finish();
  return { topics, byteLength: file.byteLength, groupCount: groups?.groups.length ?? null };
}

async function writePartition(
  tar: TarWriter,
  o: { source: ExportSource; row: ExportSource['partitions'][number]; excerpt: Excerpt | null },
  { signal, onRecords }: ExportPorts,
): Promise<number> {
  const { topic, topicId } = o.source.life;
  const { partition, copies, plan } = o.row;
  let pieces: Buffer[] = [];
  let byteLength = 0;
  let records = 0;
  const flush = async (): Promise<void> => {
    const base = pieces[0]?.readBigInt64BE(0);
    if (base !== undefined) await tar.add(segmentName({ topic, topicId, partition, base }), pieces);
    pieces = [];
    byteLength = 0;
  };
  const times = { fromMs: o.excerpt?.fromMs ?? undefined, toMs: o.excerpt?.toMs ?? undefined };
  const takes = selecting(o.excerpt);
  for await (const batch of readMerged(copies, plan.stretches, times)) {
    signal.throwIfAborted();
    const bytes = explaining(`${topic}/${partition} in ${batch.path}`, () => takenOf(batch, takes));
    if (bytes === undefined) continue;
    if (pieces.length > 0 && byteLength + bytes.length > segmentBytesMax) await flush();
    pieces.push(Buffer.from(bytes)); // the batch stays as it is only until the next one
    byteLength += bytes.length;
    const count = bytes.readInt32BE(57);
    records += count;
    onRecords(count, bytes.length);
  }
  await flush();
  return records;
}

type Takes = (record: RawRecord) => boolean;

/** Undefined where every record is meant. */
function selecting(excerpt: Excerpt | null): Takes | undefined {
  if (excerpt === null) return undefined;
  const { fromMs, toMs, key } = excerpt;
  return (record) => {
    if (fromMs !== null && record.timestamp < fromMs) return false;
    if (toMs !== null && record.timestamp >= toMs) return false;
    return key === null || keyOfBody(record)?.equals(key) === true;
  };
}

/** The batch as it is where all of it is meant. */
function takenOf({ bytes, header, from, to }: CoveredBatch, takes: Takes | undefined): Buffer | undefined {
  const { position, byteLength, recordCount } = header;
  if (recordCount === 0) return undefined;
  const isWhole = from <= header.baseOffset && to >= nextOffsetOf(header);
  const asItIs = bytes.subarray(position, position + byteLength);
  if (isWhole && (takes === undefined || rawRecords(bytes, header).every(takes))) return asItIs;
  return retainRecords(bytes, header, { from, to, takes: takes ?? (() => true) });
}

/** Damage in a record is told with the place that it was read from. */
function explaining<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    throw new VarveError(error.code, `${where}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function joined(ranges: readonly Range[]): Range[] {
  const whole: Range[] = [];
  for (const { from, to } of ranges) {
    const last = whole.at(-1);
    if (last?.to === from) whole[whole.length - 1] = { from: last.from, to };
    else whole.push({ from, to });
  }
  return whole;
}

function groupsOn(saved: SavedGroups | null, topics: readonly ExportedTopic[]): SavedGroups | null {
  if (saved === null) return null;
  const names = new Set(topics.map(({ topic }) => topic));
  const groups = saved.groups.flatMap((group) => {
    const offsets = group.offsets.filter(({ topic }) => names.has(topic));
    return offsets.length === 0 ? [] : [{ ...group, offsets }];
  });
  return { readMs: saved.readMs, groups };
}

/** Nothing is written that no import would take. */
function assertReadable(name: string, { length }: Buffer): void {
  if (length <= textBytesMax) return;
  throw new VarveError('failed', `${name} would take ${length} bytes: expected at most ${textBytesMax}`, {
    hint: 'export fewer topics into each file',
  });
}

/** Members one behind the other, and the digest of each. */
class TarWriter {
  readonly #file: FreshFile;
  readonly #sums: string[] = [];

  constructor(file: FreshFile) {
    this.#file = file;
  }

  async add(name: string, pieces: readonly Buffer[]): Promise<void> {
    const hash = createHash('sha256');
    for (const piece of pieces) hash.update(piece);
    // As `sha256sum -c` reads it in the folder of this file.
    this.#sums.push(`${hash.digest('hex')}  ${name.slice(name.indexOf('/') + 1)}\n`);
    await this.#member(name, pieces);
  }

  async end(): Promise<void> {
    const sums = Buffer.from(this.#sums.join(''));
    assertReadable(sumsName, sums);
    await this.#member(sumsName, [sums]);
    await this.#file.write([tarEnd]);
  }

  async #member(name: string, pieces: readonly Buffer[]): Promise<void> {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    await this.#file.write([await tarHeader({ name, bytes }), ...pieces, tarPadding(bytes)]);
  }
}
