/** Whether the repository is whole: digests without a key, documents and chains with one, every batch when asked. */
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import { codeOf, type Disk, type DiskStat, type Host } from '../host/host.ts';
import {
  listInstances,
  listSharedPacks,
  lookAtKeys,
  listSnapshots,
  openManifest,
  packName,
  readIndex,
  readMarks,
  readPastCache,
  readWhole,
  sharedPrefix,
  snapshotFolder,
  type IndexedSegment,
  type Manifest,
  type Memory,
  type OpenedManifest,
  type Pack,
  type Repository,
} from '../repository/repository.ts';
import { rowProblems } from './row-problems.ts';
import { shrinksOf } from './shrinks.ts';
import { batchesOf } from './source.ts';
import { allOf } from './spans.ts';
import { filesBelow, parseSums, wrong } from './sums.ts';

export type VerifyLevel = 'fast' | 'normal' | 'deep';

export interface VerifyFinding {
  readonly instance: string;
  readonly snapshot: string;
  readonly file: string;
  readonly problem: string;
}

export interface VerifyReport {
  readonly level: VerifyLevel;
  readonly instances: number;
  readonly snapshots: number;
  readonly packs: number;
  readonly readBytes: number;
  readonly records: number;
  /** Blocks that libsodium opened again, to the same bytes; 0 unless that was asked for. */
  readonly openedTwice: number;
  readonly findings: readonly VerifyFinding[];
}

export interface VerifyProgress {
  readonly type: 'verify-progress';
  readonly readBytes: number;
  readonly totalBytes: number;
}

export interface VerifyPorts {
  readonly host: Host;
  readonly emit: (event: VerifyProgress) => void;
  readonly signal: AbortSignal;
}

/** The n-th of t parts of the files, by digest: a file is in the same part every night, whatever comes and goes. */
export interface Subset {
  readonly part: number;
  readonly of: number;
}

function isIn(subset: Subset | undefined, sha256: string): boolean {
  return subset === undefined || Number.parseInt(sha256.slice(0, 12), 16) % subset.of === subset.part - 1;
}

/** One file with all its names: hard links are read once. */
interface Content {
  readonly path: string;
  readonly bytes: number;
  readonly places: { snapshot: string; file: string; sha256: string }[];
}

/** What a run over one instance found out. */
export class Verification {
  readonly findings: VerifyFinding[] = [];
  /** SHA-256 of packs that were read whole and are right, and of those that are not. */
  readonly clean = new Set<string>();
  readonly damaged = new Set<string>();
  /** Of the snapshots, by name: marks of what was read are put under it. */
  newest: string | undefined;
  readonly #ports: VerifyPorts;
  readonly #place: { folder: string; instance: string };
  snapshots = 0;
  packs = 0;
  readBytes = 0;
  records = 0;

  constructor(ports: VerifyPorts, place: { folder: string; instance: string }) {
    this.#ports = ports;
    this.#place = place;
  }

  /** `sha256sum -c` of every snapshot, and that each is nothing but what its sums name. */
  async digests(subset: Subset | undefined): Promise<void> {
    const { disk } = this.#ports.host;
    const { ids, foreign } = await listSnapshots(disk, this.#place);
    for (const name of foreign) this.#found(name, '', 'it is no snapshot');
    const contents = new Map<string, Content>();
    for (const id of ids) {
      this.snapshots += 1;
      this.newest = id;
      await this.#tryTo(id, 'SHA256SUMS', async () => this.#collect(id, contents));
    }
    for (const path of (await listSharedPacks(this.#ports.host, this.#place)).foreign)
      this.#found('packs', path, 'it is no pack');
    const all = [...contents.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const chosen = all.filter(({ places }) => places.some(({ sha256 }) => isIn(subset, sha256)));
    const totalBytes = chosen.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const content of chosen) {
      this.#ports.signal.throwIfAborted();
      await this.#readContent(content);
      this.#ports.emit({ type: 'verify-progress', readBytes: this.readBytes, totalBytes });
    }
  }

  /** Every manifest and index, the chain of snapshots, and what they say of each other. */
  async documents(repository: Repository, o: { deep: boolean; subset: Subset | undefined }): Promise<void> {
    const { disk } = this.#ports.host;
    const { ids } = await listSnapshots(disk, this.#place);
    const known = new Map<string, readonly IndexedSegment[]>();
    let before: OpenedManifest | undefined;
    for (const id of ids) {
      this.#ports.signal.throwIfAborted();
      await this.#tryTo(id, 'manifest', async () => {
        const guess = before === undefined ? {} : { seqGuess: before.manifest.seq + 1 };
        const opened = await openManifest(disk, repository, id, guess);
        const { manifest } = opened;
        this.#checkChain(before, manifest);
        const segments: IndexedSegment[] = [];
        for (const pack of manifest.packs) {
          await this.#tryTo(id, pack.path, async () => {
            const deep = o.deep && isIn(o.subset, pack.sha256);
            segments.push(...(await this.#segmentsOf(repository, { id, pack, known, deep })));
          });
        }
        for (const problem of rowProblems(manifest, segments)) this.#found(id, 'manifest', problem);
        before = opened;
      });
    }
  }

  async marks(repository: Repository): Promise<void> {
    const { problems } = await readMarks(this.#ports.host, repository);
    for (const problem of problems) this.#found('', 'marks', problem);
  }

  /** What this installation published last is there, or something that came after it. */
  remembered(memory: Memory | undefined, repository: string): void {
    if (memory === undefined || memory.repository === '' || memory.instance !== this.#place.instance) return;
    if (memory.repository !== repository)
      this.#found(
        '',
        'varve.json',
        `it is another repository: expected ${memory.repository}, got ${repository}`,
      );
    else if (memory.newest !== null && (this.newest ?? '') < memory.newest.id)
      this.#found(memory.newest.id, '', 'it is missing: this installation published it');
  }

  async #segmentsOf(
    repository: Repository,
    o: { id: string; pack: Pack; known: Map<string, readonly IndexedSegment[]>; deep: boolean },
  ): Promise<readonly IndexedSegment[]> {
    const known = o.known.get(o.pack.sha256);
    if (known !== undefined) return known;
    const { disk } = this.#ports.host;
    const snapshot = snapshotFolder(this.#place, o.id);
    const { segments } = await readIndex(disk, repository, { snapshot, pack: o.pack });
    o.known.set(o.pack.sha256, segments);
    if (o.deep)
      await this.#openSegments(repository, { path: join(snapshot, packName(o.pack)), segments, ...o });
    return segments;
  }

  async #openSegments(
    repository: Repository,
    o: { id: string; pack: Pack; path: string; segments: readonly IndexedSegment[] },
  ): Promise<void> {
    const file = await this.#ports.host.disk.open(o.path, 'read');
    try {
      for (const segment of o.segments) {
        this.#ports.signal.throwIfAborted();
        await this.#tryTo(o.id, o.pack.path, async () => {
          let records = 0;
          let next = segment.base;
          let end = 0;
          for await (const { header, position } of batchesOf(file, repository, {
            segment,
            pack: o.pack.path,
            span: allOf(segment),
          })) {
            if (header.baseOffset < next) throw wrong(`batch ${header.baseOffset} comes behind ${next}`);
            next = header.baseOffset + BigInt(header.lastOffsetDelta + 1);
            records += header.recordCount;
            end = position + header.byteLength;
          }
          this.records += records;
          const { topic, partition, base } = segment;
          const of = `segment ${base} of ${topic}/${partition}`;
          if (records !== segment.records)
            throw wrong(`${of}: expected ${segment.records} records, got ${records}`);
          if (end !== segment.rawBytes) throw wrong(`${of}: expected ${segment.rawBytes} bytes, got ${end}`);
          if (next > segment.next) throw wrong(`${of}: expected an end up to ${segment.next}, got ${next}`);
        });
      }
    } finally {
      await file.close();
    }
  }

  #checkChain(before: OpenedManifest | undefined, manifest: Manifest): void {
    if (before === undefined || manifest.previous?.id !== before.manifest.id) return; // what was between has expired
    if (manifest.previous.digest !== before.digest)
      this.#found(manifest.id, 'manifest', `it follows another manifest of ${before.manifest.id}`);
    if (manifest.seq !== before.manifest.seq + 1)
      this.#found(manifest.id, 'manifest', `expected seq ${before.manifest.seq + 1}, got ${manifest.seq}`);
    for (const problem of shrinksOf(before.manifest, manifest)) this.#found(manifest.id, 'manifest', problem);
  }

  async #collect(id: string, contents: Map<string, Content>): Promise<void> {
    const { disk } = this.#ports.host;
    const folder = snapshotFolder(this.#place, id);
    const there = await filesBelow(disk, folder);
    if (!there.has('manifest'))
      this.#found(id, 'manifest', 'it is missing: the snapshot was never published, or is damaged');
    const listed = there.get('SHA256SUMS');
    if (listed === undefined) throw wrong('it is missing');
    if (listed.kind !== 'file') throw wrong('it is no file');
    const sums = await readWhole(disk, join(folder, 'SHA256SUMS'));
    const lines = parseSums(sums.toString('utf8'));
    const named = new Set(['SHA256SUMS', ...lines.map(({ path }) => path)]);
    if (!named.has('manifest')) this.#found(id, 'SHA256SUMS', 'it does not name the manifest');
    for (const path of there.keys())
      if (!named.has(path)) this.#found(id, path, 'it does not belong to the snapshot');
    for (const { path, sha256 } of lines) {
      const stat = there.get(path) ?? (await this.#shared(folder, path));
      if (stat === undefined) {
        if (path !== 'manifest') this.#found(id, path, 'it is missing');
        continue;
      }
      if (stat.kind !== 'file') {
        this.#found(id, path, 'it is no file');
        continue;
      }
      const key = `${stat.device}/${stat.inode}`;
      const place = { snapshot: id, file: path, sha256 };
      const known = contents.get(key);
      if (known === undefined)
        contents.set(key, { path: join(folder, path), bytes: stat.byteLength, places: [place] });
      else known.places.push(place);
    }
  }

  /** Of a pack that lies beside the snapshots. */
  async #shared(folder: string, path: string): Promise<DiskStat | undefined> {
    return path.startsWith(sharedPrefix) ? await this.#ports.host.disk.stat(join(folder, path)) : undefined;
  }

  async #readContent({ path, bytes, places }: Content): Promise<void> {
    const first = places[0];
    if (first === undefined) return;
    await this.#tryTo(first.snapshot, first.file, async () => {
      this.packs += first.file === 'manifest' ? 0 : 1;
      const { sha256 } = await readPastCache(this.#ports.host.disk, path, () => undefined);
      this.readBytes += bytes;
      for (const place of places) {
        if (place.sha256 === sha256) this.clean.add(sha256);
        else {
          this.damaged.add(place.sha256);
          const what = bytes === 0 ? 'it is empty' : `expected SHA-256 ${place.sha256}, got ${sha256}`;
          this.#found(place.snapshot, place.file, what);
        }
      }
    });
  }

  async #tryTo(snapshot: string, file: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isDamage = error instanceof VarveError && error.code === 'damage';
      const isLink = codeOf(error) === 'ELOOP';
      if (!isDamage && !isLink && codeOf(error) !== 'ENOENT') throw error;
      const problem = isLink ? 'it is a link, and no file' : 'it is missing';
      this.#found(snapshot, file, isDamage ? error.message : problem);
    }
  }

  #found(snapshot: string, file: string, problem: string): void {
    this.findings.push({ instance: this.#place.instance, snapshot, file, problem });
  }
}

/** Verifies every instance, or one. The caller opens the repository for each: without a key there are digests only. */
export async function verifyRepository(
  ports: VerifyPorts,
  o: {
    folder: string;
    /** Its id, as `varve.json` says. */
    repository: string;
    instance: string | undefined;
    memory: Memory | undefined;
    /** Beside whose files a copy of the keys is, if there is one. */
    localFolder: string | undefined;
    level: VerifyLevel;
    secondOpener?: boolean | undefined;
    subset: Subset | undefined;
    open: (instance: string) => Promise<Repository>;
    /** What was read of each instance, to be noted in its marks. */
    onRead: (repository: Repository, verification: Verification) => Promise<void>;
  },
): Promise<VerifyReport> {
  const there = await listInstances(ports.host.disk, o.folder);
  const remembered = o.memory === undefined || o.memory.newest === null ? [] : [o.memory.instance];
  const instances =
    o.instance === undefined ? [...new Set([...there, ...remembered])].toSorted() : [o.instance];
  const done: Verification[] = [];
  const opened: Repository[] = [];
  for (const instance of instances) {
    const verification = new Verification(ports, { folder: o.folder, instance });
    const repository = o.level === 'fast' ? undefined : await o.open(instance);
    if (o.secondOpener === true) repository?.useSecondOpener();
    await verification.digests(o.subset);
    verification.remembered(o.memory, o.repository);
    if (repository !== undefined) {
      opened.push(repository);
      await verification.documents(repository, { deep: o.level === 'deep', subset: o.subset });
      await verification.marks(repository);
      await o.onRead(repository, verification);
    }
    done.push(verification);
  }
  const ofKeys = await keyFindings(ports.host.disk, { ...o, opened: opened[0] });
  const sumOf = (valueOf: (of: Verification) => number): number =>
    done.reduce((sum, of) => sum + valueOf(of), 0);
  return {
    level: o.level,
    instances: instances.length,
    snapshots: sumOf((of) => of.snapshots),
    packs: sumOf((of) => of.packs),
    readBytes: sumOf((of) => of.readBytes),
    records: sumOf((of) => of.records),
    openedTwice: opened.reduce((sum, { second }) => sum + (second?.blocks ?? 0), 0),
    findings: [...ofKeys, ...done.flatMap((of) => of.findings)],
  };
}

/** Nothing opens without `keys/`: much of it can be told without a key. */
async function keyFindings(disk: Disk, o: Parameters<typeof lookAtKeys>[1]): Promise<VerifyFinding[]> {
  const problems = await lookAtKeys(disk, o);
  return problems.map(({ file, problem, hint }) => ({
    instance: 'keys',
    snapshot: '',
    file,
    problem: `${problem}; ${hint}`,
  }));
}
