import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRow } from '../kafka/kafka.ts';
import type { DemoCluster } from './cluster.ts';

/** As Kafka's own Java client reads them, in the form of `varve cat --json`. */
export async function rowsOf({ java, prefix }: DemoCluster, topic: string): Promise<string[]> {
  return java.consumeLines({ topic: `${prefix}${topic}`, isolation: 'read_committed' });
}

export function expectSame(topic: string, expected: readonly string[], got: readonly string[]): void {
  const at = expected.findIndex((line, index) => line !== got[index]);
  if (at === -1 && expected.length === got.length) return;
  throw new Error(
    `${topic}: expected ${expected.length} records, got ${got.length}; the first that differs is number ${at + 1}`,
  );
}

interface Restored {
  readonly lines: readonly string[];
  /** How many of a partition's records that came back were below an offset: where a group must stand. */
  below(partition: number, offset: bigint): bigint;
}

/** What a restore from a time must bring: the later records, counted anew from 0 in each partition. */
export function restoredFrom(before: readonly string[], fromMs: number): Restored {
  const ends = new Map<number, bigint>();
  const kept = before
    .map((line) => ({ line, row: parseRow(line) }))
    .filter(({ row }) => row.timestamp >= BigInt(fromMs));
  return {
    lines: kept.map(({ line, row: { partition, offset } }) => {
      const next = ends.get(partition) ?? 0n;
      ends.set(partition, next + 1n);
      return line.replace(`"offset":${offset},`, `"offset":${next},`);
    }),
    below: (partition, offset) =>
      BigInt(kept.filter(({ row }) => row.partition === partition && row.offset < offset).length),
  };
}

/** A topic without transactions and compaction: the segments, one behind the other, are the broker's own log. */
export async function filesAreTheBrokers(logDir: string, ours: string): Promise<void> {
  for (const partition of [0, 1, 2, 3]) {
    const theirs = await concatenated(join(logDir, `orders-${partition}`));
    if (!theirs.equals(await concatenated(ours, `/${partition}/`)))
      throw new Error(`orders/${partition}: the files differ from the broker's`);
  }
}

async function concatenated(root: string, within = ''): Promise<Buffer> {
  const files = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.name.endsWith('.log'))
    .map((entry) => ({ name: entry.name, path: join(entry.parentPath, entry.name) }))
    .filter(({ path }) => path.includes(within))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return Buffer.concat(await Promise.all(files.map(({ path }) => readFile(path))));
}
