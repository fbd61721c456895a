import { createHash } from 'node:crypto';
import type { VarveError } from '../errors.ts';
import type { Disk } from '../host/host.ts';
import type { CoveredBatch } from '../local/local.ts';
import { nextOffsetOf } from '../log/log.ts';
import type { Backup, Copy, Life, ReadRange } from '../restore/restore.ts';
import { batchesOf, changed, openRaw, partitionText, type ExportFile } from './export-file.ts';
import type { ExportedPartition, ExportedTopic } from './export-layout.ts';

/** The topics of an export that was checked. */
export class ExportBackup implements Backup {
  readonly snapshots = [];
  readonly #disk: Disk;
  readonly #file: ExportFile;

  constructor(disk: Disk, file: ExportFile) {
    this.#disk = disk;
    this.#file = file;
  }

  get topics(): readonly string[] {
    return this.#file.document.topics.map(({ topic }) => topic);
  }

  get groups(): Backup['groups'] {
    return this.#file.document.groups?.groups;
  }

  get groupsReadMs(): number | undefined {
    return this.#file.document.groups?.readMs;
  }

  async lives(topic: string): Promise<readonly Life[]> {
    const found = this.#file.document.topics.find((row) => row.topic === topic);
    if (found === undefined) return [];
    const times = found.partitions.flatMap(
      ({ partition }) => this.#file.times.get(partitionText(topic, partition)) ?? [],
    );
    return [
      {
        topic,
        topicId: this.#idOf(found),
        firstSeen: found.firstSeen ?? undefined,
        cluster: found.cluster ?? undefined,
        settings: found.settings ?? undefined,
        partitions: found.partitions.map((row) => ({
          partition: row.partition,
          copies: [this.#copy(topic, row)],
        })),
        firstMs: times.map(({ firstMs }) => firstMs).reduce(least, undefined),
        lastMs: times.map(({ lastMs }) => lastMs).reduce(most, undefined),
      },
    ];
  }

  /** An excerpt does not hold what it left out: it is no life of the topic, and saves no record of one from deletion. */
  #idOf({ topicId }: ExportedTopic): string {
    const { document, digest } = this.#file;
    if (document.excerpt === null) return topicId;
    return createHash('sha256').update(`${digest} ${topicId}`).digest().subarray(0, 16).toString('base64url');
  }

  #copy(topic: string, { partition, ranges, missing, expired, gaps }: ExportedPartition): Copy {
    return {
      name: this.#file.path,
      coverage: {
        ranges: [...ranges, ...missing, ...expired].toSorted((a, b) => (a.from < b.from ? -1 : 1)),
        epochs: [],
        gaps: gaps.map((gap) => ({ ...gap, at: '' })),
        truncations: [],
      },
      absent: [...missing, ...expired],
      expired,
      read: (range) => this.#read(partitionText(topic, partition), range),
    };
  }

  async *#read(key: string, { first, below }: ReadRange): AsyncGenerator<CoveredBatch, void, undefined> {
    const segments = (this.#file.segments.get(key) ?? []).filter(
      ({ base, next }) => next > first && base < below,
    );
    if (segments.length === 0) return;
    const { path, place } = this.#file;
    const problem = (text: string): VarveError => changed(path, text);
    await using opened = await openRaw(this.#disk, place);
    for (const { member, base } of segments) {
      for await (const { bytes, header } of batchesOf(opened.raw, { member, base, problem })) {
        const next = nextOffsetOf(header);
        const from = header.baseOffset > first ? header.baseOffset : first;
        const to = next < below ? next : below;
        if (from < to) yield { bytes, header, from, to, path: `${path}: ${member.name}` };
      }
    }
  }
}

function least(a: bigint | undefined, b: bigint): bigint {
  return a === undefined || b < a ? b : a;
}

function most(a: bigint | undefined, b: bigint): bigint {
  return a === undefined || b > a ? b : a;
}
