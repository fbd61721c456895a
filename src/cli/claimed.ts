import type { CommittedOffset } from '../kafka/kafka.ts';
import type { Claimed } from '../restore/restore.ts';

/**
 * What the positions in the program's own group say was saved: another replica, or a disk that was lost, may have had it.
 * Nobody waits for what an installation saved whose instance is retired. Pure.
 */
export function claimsOf(
  positions: readonly Pick<CommittedOffset, 'topic' | 'partition' | 'offset' | 'metadata'>[],
  retired: ReadonlySet<string>,
): Claimed {
  const claimed = new Map<string, { topic: string; partitions: Map<number, bigint> }>();
  for (const { topic, partition, offset, metadata } of positions) {
    const { topicId, installation } = noteIn(metadata);
    if (topicId === undefined || offset <= 0n) continue;
    if (installation !== undefined && retired.has(installation)) continue;
    const known = claimed.get(topicId) ?? { topic, partitions: new Map<number, bigint>() };
    known.partitions.set(partition, offset);
    claimed.set(topicId, known);
  }
  return claimed;
}

function noteIn(metadata: string): { topicId: string | undefined; installation: string | undefined } {
  const nothing = { topicId: undefined, installation: undefined };
  try {
    const parsed: unknown = JSON.parse(metadata);
    if (typeof parsed !== 'object' || parsed === null) return nothing;
    const textOf = (name: string): string | undefined => {
      const value: unknown = Reflect.get(parsed, name);
      return typeof value === 'string' ? value : undefined;
    };
    return { topicId: textOf('topicId'), installation: textOf('installation') };
  } catch {
    return nothing; // not ours
  }
}
