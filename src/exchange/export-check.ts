/** An export is read whole before anything is done with it: it may come from anywhere. */
import { createHash } from 'node:crypto';
import { VarveError } from '../errors.ts';
import type { Disk, Host } from '../host/host.ts';
import { isControl, nextOffsetOf, rawRecords, type BatchHeader } from '../log/log.ts';
import {
  batchesOf,
  lookAtExport,
  openBeginning,
  openRaw,
  partitionText,
  type ExportFile,
  type ExportPlace,
  type ExportSegment,
  type LookOptions,
} from './export-file.ts';
import {
  documentName,
  isFolderName,
  memberBytesMax,
  membersMax,
  notAnExport,
  parseDocument,
  parseSegmentName,
  sumsName,
  textBytesMax,
  type ExportDocument,
  type ExportedPartition,
} from './export-layout.ts';
import type { RawFile } from './packed-file.ts';
import { tarMembers, type TarMember } from './tar-members.ts';

/** What a moment tells: that it is there, may be read, and begins as an export does. */
export async function glanceAtExport(disk: Disk, path: string): Promise<void> {
  await using opened = await openBeginning(disk, path);
  for await (const { name } of tarMembers(opened.raw, { path, memberBytesMax })) {
    assertBelongs(name, path);
    return;
  }
  throw notAnExport(path, 'the tar is empty');
}

function assertBelongs(name: string, path: string): void {
  const isText = name === documentName || name === sumsName;
  if (isText || isFolderName(name) || parseSegmentName(name) !== undefined) return;
  throw notAnExport(path, `${JSON.stringify(name.slice(0, 300))} does not belong into it`);
}

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly onRecords: (count: number, bytes: number) => void;
}

/**
 * Refuses whatever varve export does not write. Holds no more than one batch, the names, and the two texts. The caller
 * disposes of it.
 */
export async function readExport(
  host: Pick<Host, 'disk' | 'random'>,
  path: string,
  o: ReadOptions & LookOptions,
): Promise<ExportFile> {
  const place = await lookAtExport(host, path, o);
  const dispose = async (): Promise<void> => place.unpacked?.close();
  try {
    return { ...(await readPlace(host.disk, place, o)), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function readPlace(
  disk: Disk,
  place: ExportPlace,
  o: ReadOptions,
): Promise<Omit<ExportFile, keyof AsyncDisposable>> {
  const { path } = place;
  await using opened = await openRaw(disk, place);
  const { raw } = opened;
  const members = await membersOf(raw, path);
  const text = await textOf(raw, members.get(documentName), path);
  const document = parseDocument(text, path);
  const sumsText = await textOf(raw, members.get(sumsName), path);
  const sums = readSums(sumsText, members, path);
  if (digestOf(text) !== sums.get(documentName)) throw wrongSum(path, documentName);
  const reading = new Reading({ path, document, sums }, o);
  for (const [name, member] of members) {
    if (name !== documentName && name !== sumsName) await reading.segment(raw, member);
  }
  reading.assertWhole();
  const { segments, times } = reading;
  return { path, document, digest: digestOf(sumsText), segments, times, place };
}

async function membersOf(raw: RawFile, path: string): Promise<Map<string, TarMember>> {
  const members = new Map<string, TarMember>();
  let count = 0;
  for await (const member of tarMembers(raw, { path, memberBytesMax })) {
    const { name } = member;
    count += 1;
    if (count > membersMax) throw notAnExport(path, `it holds more than ${membersMax} members`);
    assertBelongs(name, path);
    if (isFolderName(name)) continue;
    if (members.has(name)) throw notAnExport(path, `${name} is in it twice`);
    members.set(name, member);
  }
  return members;
}

async function textOf(raw: RawFile, member: TarMember | undefined, path: string): Promise<Buffer> {
  if (member === undefined)
    throw notAnExport(path, `it has no ${documentName} or no ${sumsName}, which are written last`);
  if (member.byteLength > textBytesMax)
    throw notAnExport(
      path,
      `${member.name} claims ${member.byteLength} bytes, at most ${textBytesMax} are read`,
    );
  const bytes = Buffer.allocUnsafe(member.byteLength);
  await raw.read(bytes, member.position);
  return bytes;
}

/** By name: one line for every other member, and none for anything else. */
function readSums(text: Buffer, members: ReadonlyMap<string, TarMember>, path: string): Map<string, string> {
  const sums = new Map<string, string>();
  const folder = sumsName.slice(0, sumsName.indexOf('/') + 1);
  const lines = text.toString('utf8').split('\n');
  if (lines.pop() !== '') throw notAnExport(path, `${sumsName} stops inside of a line`);
  for (const line of lines) {
    const [, digest, name] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    const whole = `${folder}${name ?? ''}`;
    if (digest === undefined || sums.has(whole) || whole === sumsName || !members.has(whole))
      throw notAnExport(path, `${sumsName} has a line that belongs to none of its files`);
    sums.set(whole, digest);
  }
  if (sums.size !== members.size - 1) throw notAnExport(path, `${sumsName} does not name all of its files`);
  return sums;
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function wrongSum(path: string, name: string): VarveError {
  return notAnExport(path, `${name}: its SHA-256 is not that in ${sumsName}`);
}

/** Holds each segment against the document and its digest. */
class Reading {
  readonly segments = new Map<string, ExportSegment[]>();
  readonly times = new Map<string, { firstMs: bigint; lastMs: bigint }>();
  readonly #path: string;
  readonly #sums: ReadonlyMap<string, string>;
  readonly #o: ReadOptions;
  readonly #rows = new Map<string, ExportedPartition>();
  readonly #ids: ReadonlyMap<string, string>;
  readonly #records = new Map<string, number>();

  constructor(
    { path, document, sums }: { path: string; document: ExportDocument; sums: ReadonlyMap<string, string> },
    o: ReadOptions,
  ) {
    this.#path = path;
    this.#sums = sums;
    this.#o = o;
    this.#ids = new Map(document.topics.map(({ topic, topicId }) => [topic, topicId]));
    for (const { topic, partitions } of document.topics)
      for (const row of partitions) this.#rows.set(partitionText(topic, row.partition), row);
  }

  async segment(raw: RawFile, member: TarMember): Promise<void> {
    const { name } = member;
    const segment = parseSegmentName(name);
    if (segment === undefined) throw new Error(`no segment: ${name}`);
    const { topic, topicId, partition, base } = segment;
    const key = partitionText(topic, partition);
    const row = this.#rows.get(key);
    if (row === undefined || this.#ids.get(topic) !== topicId)
      throw this.#bad(name, `${documentName} does not name it`);
    const hash = createHash('sha256');
    let next = base;
    const problem = (text: string): VarveError => this.#bad(name, text);
    for await (const { bytes, header } of batchesOf(raw, { member, base, problem })) {
      this.#o.signal.throwIfAborted();
      const { position, byteLength } = header;
      hash.update(bytes.subarray(position, position + byteLength));
      this.#batch(key, { bytes, header, row, name });
      next = nextOffsetOf(header);
      this.#o.onRecords(header.recordCount, byteLength);
    }
    if (next === base) throw problem('it is empty');
    if (hash.digest('hex') !== this.#sums.get(name)) throw wrongSum(this.#path, name);
    const segments = this.segments.get(key) ?? [];
    segments.push({ ...segment, member, next });
    this.segments.set(key, segments);
  }

  /** Once all segments were read. */
  assertWhole(): void {
    for (const segments of this.segments.values()) {
      segments.sort((a, b) => (a.base < b.base ? -1 : 1));
      const over = segments.find(({ base }, index) => base < (segments[index - 1]?.next ?? 0n));
      if (over !== undefined) throw this.#bad(over.member.name, 'it begins before the end of the one before');
    }
    for (const [key, { records }] of this.#rows) {
      const found = this.#records.get(key) ?? 0;
      if (found !== records)
        throw notAnExport(
          this.#path,
          `${key} holds ${found} records, and ${documentName} tells of ${records}`,
        );
    }
  }

  /** Whatever a broker might refuse half-way is refused here. */
  #batch(key: string, o: { bytes: Buffer; header: BatchHeader; row: ExportedPartition; name: string }): void {
    const { bytes, header, row, name } = o;
    const where = `the batch at offset ${header.baseOffset}`;
    if (isControl(header)) throw this.#bad(name, `${where} is a control batch`);
    const next = nextOffsetOf(header);
    if (!row.ranges.some(({ from, to }) => from <= header.baseOffset && next <= to))
      throw this.#bad(name, `${where} is outside of what ${documentName} tells`);
    let { firstMs, lastMs } = this.times.get(key) ?? { firstMs: undefined, lastMs: undefined };
    try {
      for (const { timestamp } of rawRecords(bytes, header)) {
        if (firstMs === undefined || timestamp < firstMs) firstMs = timestamp;
        if (lastMs === undefined || timestamp > lastMs) lastMs = timestamp;
      }
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      throw this.#bad(name, error.message);
    }
    if (firstMs !== undefined && lastMs !== undefined) this.times.set(key, { firstMs, lastMs });
    this.#records.set(key, (this.#records.get(key) ?? 0) + header.recordCount);
  }

  #bad(name: string, problem: string): VarveError {
    return notAnExport(this.#path, `${name}: ${problem}`);
  }
}
