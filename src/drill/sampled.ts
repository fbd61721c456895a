import type { Backup, Copy, Life } from '../restore/restore.ts';
import type { Sample, SampledPartition } from './sample.ts';

/** A backup of which no more is seen than the sample; without groups, and with settings for a topic that is short-lived. */
export class SampledBackup implements Backup {
  readonly groups = undefined;
  readonly groupsReadMs = undefined;
  readonly topics: readonly string[];
  readonly snapshots: Backup['snapshots'];
  readonly #backup: Backup;
  readonly #sample: Sample;

  constructor(backup: Backup, sample: Sample) {
    this.#backup = backup;
    this.#sample = sample;
    this.topics = sample.topics.map(({ topic }) => topic);
    this.snapshots = backup.snapshots;
  }

  async lives(topic: string): Promise<readonly Life[]> {
    const sampled = this.#sample.topics.find((row) => row.topic === topic);
    const life = (await this.#backup.lives(topic)).find(({ topicId }) => topicId === sampled?.topicId);
    if (sampled === undefined || life === undefined) return [];
    const partitions = life.partitions.flatMap(({ partition, copies }) => {
      const row = sampled.partitions.find((one) => one.partition === partition);
      return row === undefined ? [] : [{ partition, copies: copies.map((copy) => fromThere(copy, row)) }];
    });
    return [{ ...life, settings: life.settings && scratchSettings(life.settings), partitions }];
  }
}

function fromThere(copy: Copy, { from }: SampledPartition): Copy {
  const ranges = copy.coverage.ranges
    .filter(({ to }) => to > from)
    .map((range) => (range.from < from ? { ...range, from } : range));
  return { ...copy, coverage: { ...copy.coverage, ranges }, read: (range) => copy.read(range) };
}

/** How many replicas there are is for the cluster that is drilled in to say, and how many must have a record, too. */
function scratchSettings(settings: NonNullable<Life['settings']>): NonNullable<Life['settings']> {
  const configs = settings.configs.filter(([name]) => name !== 'min.insync.replicas');
  return { ...settings, replicationFactor: -1, configs };
}
