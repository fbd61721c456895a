import { localFolderOf, type Config } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import {
  listSegments,
  partitionFolder,
  readCoverage,
  readPartition,
  type CoveredBatch,
  type Incarnation,
} from '../local/local.ts';
import { scanBatches } from '../log/log.ts';
import type { PartitionToRead, ReadBatch, SnapshotChoice, SnapshotDetail } from '../target/target.ts';
import type { CommandContext } from './command.ts';
import { askTarget } from './repository.ts';
import { livesOf } from './selection.ts';
import { snapshotChoice } from './snapshot-choice.ts';

/** Where records are read from, partition by partition, each offset once. */
export interface RecordSource {
  /** The lives of a topic, the newest last; at least one. */
  lives(topic: string): Promise<readonly Incarnation[]>;
  read(
    life: Incarnation,
    range: { readonly partitions: readonly number[]; readonly fromMs: bigint | undefined },
    onBatch: (partition: number, batch: CoveredBatch) => Promise<void>,
  ): Promise<void>;
}

const newest: SnapshotChoice = { text: 'latest', timeMs: undefined };

/** The local files; what was freed of them because a snapshot holds it comes from the newest one. */
export class LocalSource implements RecordSource {
  readonly #context: CommandContext;
  readonly #config: Config;

  constructor(context: CommandContext, config: Config) {
    this.#context = context;
    this.#config = config;
  }

  async lives(topic: string): Promise<readonly Incarnation[]> {
    return await livesOf(this.#context.host, localFolderOf(this.#config), topic);
  }

  async read(...[life, range, onBatch]: Parameters<RecordSource['read']>): Promise<void> {
    const { host, args } = this.#context;
    const folder = localFolderOf(this.#config);
    const { topic, topicId } = life;
    const isAlone = args.flag('local-only') || this.#config.repository.dir === undefined;
    for (const partition of range.partitions) {
      const key = { topic, topicId, partition };
      const below = isAlone ? undefined : await freedBelow(host.disk, folder, key);
      if (below !== undefined) {
        const asked = { choice: newest, topicId, partitions: [{ partition, below }], fromMs: range.fromMs };
        await readSnapshot(this.#context, this.#config, asked, onBatch);
      }
      for await (const batch of readPartition(host.disk, folder, key)) await onBatch(partition, batch);
    }
  }
}

/** The offset below which the journal tells of more than the files hold; undefined where they hold all of it. */
async function freedBelow(
  disk: CommandContext['host']['disk'],
  folder: string,
  key: { topic: string; topicId: string; partition: number },
): Promise<bigint | undefined> {
  const coverage = await readCoverage(disk, folder, key);
  const first = coverage?.ranges[0];
  if (coverage === undefined || first === undefined) return undefined;
  const [segment] = await listSegments(disk, partitionFolder(folder, key));
  const base = segment?.base ?? coverage.ranges.at(-1)?.to ?? 0n;
  return base > first.from ? base : undefined;
}

/** One snapshot, as if there were no local files. */
export class SnapshotOnly implements RecordSource {
  readonly #context: CommandContext;
  readonly #config: Config;
  readonly #choice: SnapshotChoice;
  #detail: SnapshotDetail | undefined;

  constructor(context: CommandContext, config: Config, text: string) {
    this.#context = context;
    this.#config = config;
    this.#choice = snapshotChoice(text, '--snapshot');
  }

  async lives(topic: string): Promise<readonly Incarnation[]> {
    this.#detail = await askTarget(this.#context, {
      config: this.#config,
      order: 'show',
      params: this.#choice,
    });
    const { manifest, row } = this.#detail;
    const found = manifest.incarnations
      .filter((life) => life.topic === topic)
      .map(({ topicId, firstSeen, partitions }) => ({
        topic,
        topicId,
        firstSeen: firstSeen ?? undefined,
        partitions: partitions.map(({ partition }) => partition),
      }))
      .toSorted((a, b) => ((a.firstSeen ?? '') < (b.firstSeen ?? '') ? -1 : 1));
    if (found.length > 0) return found;
    const names = [...new Set(manifest.incarnations.map((life) => life.topic))].slice(0, 10);
    throw new VarveError(
      'nothing-selected',
      `no topic ${JSON.stringify(topic)} in snapshot ${row.id}; there are ${names.join(', ') || 'none'}`,
      { hint: `varve list ${row.id} shows them all` },
    );
  }

  async read(...[life, range, onBatch]: Parameters<RecordSource['read']>): Promise<void> {
    const id = this.#detail?.row.id ?? this.#choice.text;
    const partitions = range.partitions.map((partition) => ({ partition, below: undefined }));
    const choice = { text: id, timeMs: undefined };
    const asked = { choice, topicId: life.topicId, partitions, fromMs: range.fromMs };
    await readSnapshot(this.#context, this.#config, asked, onBatch);
  }
}

async function readSnapshot(
  context: CommandContext,
  config: Config,
  asked: {
    choice: SnapshotChoice;
    topicId: string;
    partitions: readonly PartitionToRead[];
    fromMs: bigint | undefined;
  },
  onBatch: (partition: number, batch: CoveredBatch) => Promise<void>,
): Promise<void> {
  await askTarget(context, {
    config,
    order: 'read',
    params: asked,
    async onItem(item) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what this very order gives
      const { partition, from, to, path, ...sent } = item as ReadBatch;
      const bytes = Buffer.from(sent.bytes);
      const [header] = scanBatches(bytes).batches;
      if (header === undefined) throw new Error('a batch without a head came from the child process');
      await onBatch(partition, { bytes, header, from, to, path });
    },
  });
}
