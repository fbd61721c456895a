/** Which settings a topic has while it is restored, and which in the end. Pure. */
export type ConfigPairs = readonly (readonly [name: string, value: string])[];

const endless = '9223372036854775807';

/** Nothing that comes may be refused, altered, deleted or compacted while records of any age come in. */
const whileRestoring: ReadonlyMap<string, string> = new Map([
  ['retention.ms', '-1'],
  ['retention.bytes', '-1'],
  ['cleanup.policy', 'delete'],
  ['compression.type', 'producer'],
  ['message.timestamp.type', 'CreateTime'],
  ['message.timestamp.before.max.ms', endless],
  ['message.timestamp.after.max.ms', endless],
  // What stands for the two before Kafka 3.6.
  ['message.timestamp.difference.max.ms', endless],
  ['max.message.bytes', '2147483647'],
  // A batch has to fit into one file: those that are stored, and those that are joined.
  ['segment.bytes', '1073741824'],
]);

/** Belongs to a reassignment under way in the cluster that the backup is of. */
const neverCopied = new Set([
  'leader.replication.throttled.replicas',
  'follower.replication.throttled.replicas',
]);

/** Those of the temporary settings that this cluster knows. */
export function temporaryConfigs(known: ReadonlySet<string>): ConfigPairs {
  return [...whileRestoring].filter(([name]) => known.has(name));
}

export interface LeftOff {
  readonly name: string;
  readonly value: string;
  readonly reason: string;
}

/** What the backup says of the topic, but what belongs nowhere else; with what the command line says in its place. */
export function wantedConfigs(saved: ConfigPairs, asked: ConfigPairs): ConfigPairs {
  const wanted = new Map(saved.filter(([name]) => !neverCopied.has(name)));
  for (const [name, value] of asked) wanted.set(name, value);
  return [...wanted].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

export interface RetentionFacts {
  /** What would apply in the end, from whatever level it comes. */
  readonly effective: ReadonlyMap<string, string>;
  readonly firstMs: bigint | undefined;
  readonly lastMs: bigint | undefined;
  /** Of the largest partition. */
  readonly bytes: number;
  readonly nowMs: number;
}

/** What decides whether restored records may stay. */
export const retentionNames: ReadonlySet<string> = new Set([
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
]);

/** Which retention would delete at once what was just restored. */
export function deletingRetention(facts: RetentionFacts): LeftOff[] {
  const { effective, firstMs, lastMs, bytes, nowMs } = facts;
  const policy = effective.get('cleanup.policy') ?? 'delete';
  if (!policy.split(',').some((word) => word.trim() === 'delete')) return [];
  const left: LeftOff[] = [];
  const retentionMs = effective.get('retention.ms');
  const isTimed = firstMs !== undefined && lastMs !== undefined && lastMs >= 0n;
  if (retentionMs !== undefined && BigInt(retentionMs) >= 0n && isTimed) {
    if (firstMs < 0n) {
      // No broker holds a negative time against a record; but how old the others are is not known then.
      const reason = 'it could delete records at once: some have no time, or one before 1970';
      left.push({ name: 'retention.ms', value: retentionMs, reason });
    } else if (BigInt(nowMs) - firstMs > BigInt(retentionMs)) {
      const reason = `it would delete records from ${new Date(Number(firstMs)).toISOString()} on at once`;
      left.push({ name: 'retention.ms', value: retentionMs, reason });
    }
  }
  const retentionBytes = effective.get('retention.bytes');
  if (
    retentionBytes !== undefined &&
    BigInt(retentionBytes) >= 0n &&
    BigInt(bytes) > BigInt(retentionBytes)
  ) {
    left.push({
      name: 'retention.bytes',
      value: retentionBytes,
      reason: `it would delete at once what is beyond it: the largest partition has ${bytes} bytes`,
    });
  }
  return left;
}

/** From the temporary settings to the final ones: undefined takes the topic's own value away. */
export function finalChange(o: {
  temporary: ConfigPairs;
  final: ConfigPairs;
  leftOff: readonly LeftOff[];
}): (readonly [name: string, value: string | undefined])[] {
  const stays = new Set(o.leftOff.map(({ name }) => name));
  const final = new Map(o.final);
  const names = new Set([...o.temporary.map(([name]) => name), ...final.keys()]);
  return [...names].filter((name) => !stays.has(name)).map((name) => [name, final.get(name)] as const);
}
