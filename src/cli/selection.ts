import { messageOf, VarveError } from '../errors.ts';
import { nearest } from '../config/config.ts';
import { codeOf, type Host } from '../host/host.ts';
import { incarnationsOf, listIncarnations, readIdentity, type Incarnation } from '../local/local.ts';
import type { BackedUpPartition, Life } from '../restore/restore.ts';
import { listed } from './names.ts';

/** Runs what reads the local folder; what the operating system has against it is told as such. */
export async function readingFolder<T>(folder: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof VarveError || codeOf(error) === undefined) throw error;
    throw new VarveError('target-unusable', `local folder ${folder} cannot be read: ${messageOf(error)}`, {
      hint: 'local.dir must be a folder that this user may read: check its owner, its mode and its mount',
      cause: error,
    });
  }
}

/** The lives of a topic that the local folder holds, the newest last; at least one. */
export async function livesOf(host: Host, folder: string, topic: string): Promise<readonly Incarnation[]> {
  await readIdentity(host.disk, folder); // refuses a format that is newer than this program
  const topics = [...new Set((await listIncarnations(host.disk, folder)).map((life) => life.topic))];
  if (topics.includes(topic)) return await incarnationsOf(host.disk, folder, topic);
  const near = nearest(topic, topics);
  const known =
    topics.length === 0 ? `there is nothing in ${folder}` : `there are ${listed(topics)} in ${folder}`;
  throw new VarveError(
    'nothing-selected',
    `no topic ${JSON.stringify(topic)} in this backup; ${near === undefined ? '' : `did you mean ${near}? `}${known}`,
    {
      hint:
        topics.length === 0
          ? 'check local.dir; varve backup --no-snapshot fills it'
          : 'name one of them exactly: there are no globs here',
    },
  );
}

/** The partitions that were named, else all; in ascending order, each once. */
export function choosePartitions(life: Life, wanted: readonly string[]): readonly BackedUpPartition[] {
  if (wanted.length === 0) return life.partitions;
  const there = life.partitions.map(({ partition }) => partition);
  const numbers = wanted.map((word) => {
    if (/^\d{1,9}$/.test(word)) return Number(word);
    throw new VarveError('usage', `--partition: expected a partition's number, got ${JSON.stringify(word)}`, {
      hint: 'partitions are numbered from 0; the option repeats and takes commas',
    });
  });
  const missing = numbers.find((number) => !there.includes(number));
  if (missing !== undefined) {
    const known = there.length === 0 ? 'none' : listed(there.map(String));
    throw new VarveError(
      'nothing-selected',
      `no partition ${missing} of topic ${life.topic} in this backup; there are ${known}`,
      { hint: 'name one of them, or leave --partition out for all' },
    );
  }
  return life.partitions.filter(({ partition }) => numbers.includes(partition));
}
