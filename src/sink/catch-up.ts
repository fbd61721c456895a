import { VarveError } from '../errors.ts';
import { kafkaError, noAnswer, type Cluster } from '../kafka/kafka.ts';
import { positionOf, type PartitionKey } from '../local/local.ts';
import type { SinkEvent } from './events.ts';
import type { Missing } from './plan.ts';
import type { PartitionStream } from './stream.ts';

export interface CatchUpReport {
  readonly topics: number;
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly gaps: readonly (PartitionKey & { from: bigint; to: bigint })[];
  readonly truncations: readonly (PartitionKey & { offset: bigint; epoch: number })[];
  /** Begun and not ended when the end was frozen: what lies behind `from` comes with a later catch-up. */
  readonly openTransactions: readonly (PartitionKey & { from: bigint; to: bigint })[];
  /** Files of ours that are not what was written, and what is wrong with each. */
  readonly damaged: readonly (PartitionKey & { path: string; problem: string })[];
  /** What was asked for and could not be had. */
  readonly missing: readonly Omit<Missing, 'passes'>[];
}

export interface Progress {
  readonly doneOffsets: bigint;
  readonly totalOffsets: bigint;
  readonly records: number;
  readonly bytes: number;
}

export interface Frozen {
  readonly ends: ReadonlyMap<PartitionStream, bigint>;
  readonly atMs: number;
  readonly openTransactions: CatchUpReport['openTransactions'];
  /** The end could not be asked for. */
  readonly unknown: ReadonlyMap<PartitionStream, Pick<Missing, 'message' | 'passes'>>;
  /** What does not count as this catch-up's: what the streams had read before. */
  readonly before: ReadonlyMap<PartitionStream, { records: number; bytes: number; offset: bigint }>;
}

/** Notes where each partition ends now, as a reader of committed records sees it; one noted before is left as it is. */
export async function freezeEnds(
  streams: readonly PartitionStream[],
  cluster: Pick<Cluster, 'listOffsets' | 'endOffsetForEpoch'>,
  o: { earlier: Frozen | undefined; countsFromStart: boolean; nowMs: () => number },
): Promise<Frozen> {
  const { earlier } = o;
  const alive = streams.filter((stream) => stream.state.kind !== 'gone' && !earlier?.ends.has(stream));
  const rows = alive.map(({ key, leader }) => ({
    topic: key.topic,
    partition: key.partition,
    leaderId: leader.brokerId,
    leaderEpoch: leader.epoch,
    timestamp: -1n,
  }));
  const [stable, all] = await Promise.all([
    cluster.listOffsets(rows, { isolation: 'read_committed' }),
    cluster.listOffsets(rows, { isolation: 'read_uncommitted' }),
  ]);
  const stableEnds = new Map(stable.map((row) => [`${row.topic}/${row.partition}`, row]));
  const allEnds = new Map(all.map((row) => [`${row.topic}/${row.partition}`, row]));
  const ends = new Map<PartitionStream, bigint>();
  const unknown = new Map<PartitionStream, { message: string; passes: boolean }>();
  const openTransactions: (PartitionKey & { from: bigint; to: bigint })[] = [];
  for (const stream of alive) {
    const id = `${stream.key.topic}/${stream.key.partition}`;
    const end = stableEnds.get(id);
    const highWatermark = allEnds.get(id);
    if (end === undefined || end.errorCode !== 0) {
      const { name, text, retryable: passes } = kafkaError(end?.errorCode ?? noAnswer);
      unknown.set(stream, { message: `where its log ends: ${name}: ${text}`, passes });
      continue;
    }
    ends.set(stream, end.offset);
    if (highWatermark?.errorCode === 0 && highWatermark.offset > end.offset) {
      openTransactions.push({ ...stream.key, from: end.offset, to: highWatermark.offset });
    }
  }
  await doubtWhatParts(ends, { cluster, highWatermarks: allEnds });
  const nothing = o.countsFromStart ? { records: 0, bytes: 0 } : {};
  const before = new Map(alive.map((stream) => [stream, { ...measure(stream), ...nothing }]));
  return {
    ends: new Map([...(earlier?.ends ?? []), ...ends]),
    atMs: o.nowMs(),
    openTransactions: [...(earlier?.openTransactions ?? []), ...openTransactions],
    unknown,
    before: new Map([...(earlier?.before ?? []), ...before]),
  };
}

/**
 * A partition that stands at its end or behind it is not fetched any more, so that nobody would hear that an election
 * took back what is saved: whether its leader still has what we have is asked by epoch, and where it may not, by a fetch.
 */
async function doubtWhatParts(
  ends: ReadonlyMap<PartitionStream, bigint>,
  o: {
    cluster: Pick<Cluster, 'endOffsetForEpoch'>;
    highWatermarks: ReadonlyMap<string, { readonly errorCode: number; readonly offset: bigint }>;
  },
): Promise<void> {
  const standing = [...ends].flatMap(([stream, end]) => (stream.next.offset >= end ? stream : []));
  const known = standing.filter(({ next }) => next.epoch >= 0);
  for (const stream of standing) {
    const { key, next } = stream;
    const highWatermark = o.highWatermarks.get(`${key.topic}/${key.partition}`);
    if (next.epoch < 0 && highWatermark?.errorCode === 0 && next.offset > highWatermark.offset)
      stream.isDoubted = true;
  }
  const asked = known.map((stream) => ({ stream, next: stream.next }));
  const answers = await o.cluster.endOffsetForEpoch(
    asked.map(({ stream: { key, leader }, next }) => ({
      topic: key.topic,
      partition: key.partition,
      leaderId: leader.brokerId,
      leaderEpoch: leader.epoch,
      epoch: next.epoch,
    })),
  );
  for (const [index, { stream, next }] of asked.entries()) {
    const answer = answers[index];
    const isSame = answer?.errorCode === 0 && answer.epoch === next.epoch && answer.endOffset >= next.offset;
    if (!isSame) stream.isDoubted = true;
  }
}

function measure(stream: PartitionStream): { records: number; bytes: number; offset: bigint } {
  const offset = positionOf(stream.log.coverage)?.offset ?? 0n;
  return { records: stream.records, bytes: stream.bytes, offset };
}

export function progressOf(frozen: Frozen): Progress {
  let doneOffsets = 0n;
  let totalOffsets = 0n;
  let records = 0;
  let bytes = 0;
  for (const [stream, end] of frozen.ends) {
    const before = frozen.before.get(stream);
    const now = measure(stream);
    if (before === undefined || before.offset >= end) continue;
    totalOffsets += end - before.offset;
    doneOffsets += (now.offset < end ? now.offset : end) - before.offset;
    records += now.records - before.records;
    bytes += now.bytes - before.bytes;
  }
  return { doneOffsets, totalOffsets, records, bytes };
}

/** True when every partition is at its end, or has given up. Throws where no broker is left to wait for. */
export function isReached(frozen: Frozen, giveUpBeforeMs: number): boolean {
  let isComplete = true;
  let unfinished = 0;
  let isAllLost = true;
  for (const [stream, end] of frozen.ends) {
    const { state } = stream;
    const isAtEnd =
      !stream.isReopening && !stream.isDoubted && (positionOf(stream.log.coverage)?.offset ?? 0n) >= end;
    if (isAtEnd || state.kind === 'stopped' || state.kind === 'gone') continue;
    if (isShort(stream, { end, frozenMs: frozen.atMs, giveUpBeforeMs })) continue;
    unfinished += 1;
    const hasGivenUp = state.kind === 'waiting' && state.sinceMs < giveUpBeforeMs;
    if (!hasGivenUp) isComplete = false;
    isAllLost &&= hasGivenUp && state.isBrokerLost;
  }
  if (isComplete && unfinished > 0 && isAllLost) {
    throw new VarveError(
      'kafka-unreachable',
      `the brokers went away with ${unfinished} partitions unfinished`,
      {
        hint: 'what was read so far is safe on disk: run the same command again when Kafka is back',
      },
    );
  }
  return isComplete;
}

/** The cluster lost what it had when the end was frozen, and has not come there again for as long as trouble may last. */
function isShort(
  { ends, log, isReopening }: PartitionStream,
  o: { end: bigint; frozenMs: number; giveUpBeforeMs: number },
): boolean {
  if (ends === undefined || ends.stable >= o.end || isReopening) return false;
  const isRead = (positionOf(log.coverage)?.offset ?? 0n) >= ends.stable;
  const isRecent = ends.atMs >= o.giveUpBeforeMs;
  return isRead && isRecent && Math.max(ends.sinceMs, o.frozenMs) < o.giveUpBeforeMs;
}

export function reportOf(
  frozen: Frozen,
  o: {
    events: readonly SinkEvent[];
    missing: CatchUpReport['missing'];
    topics: ReadonlyMap<string, unknown>;
  },
): CatchUpReport {
  const missing = [...o.missing];
  for (const [{ key }, { message }] of frozen.unknown) missing.push({ ...key, message });
  let records = 0;
  let bytes = 0;
  for (const [stream, end] of frozen.ends) {
    const before = frozen.before.get(stream) ?? { records: 0, bytes: 0 };
    records += stream.records - before.records;
    bytes += stream.bytes - before.bytes;
    if (stream.isDoubted || (positionOf(stream.log.coverage)?.offset ?? 0n) < end)
      missing.push({ ...stream.key, message: whyNot(stream, end) });
  }
  return {
    topics: o.topics.size,
    partitions: frozen.ends.size,
    records,
    bytes,
    gaps: o.events.flatMap((event) => (event.type === 'gap' ? event : [])),
    truncations: o.events.flatMap((event) => (event.type === 'truncated' ? event : [])),
    openTransactions: frozen.openTransactions,
    damaged: o.events.flatMap((event) =>
      event.type === 'repaired' && event.repair.kind === 'damaged-file' ? { ...event, ...event.repair } : [],
    ),
    missing,
  };
}

function whyNot({ state, ends, isDoubted }: PartitionStream, end: bigint): string {
  switch (state.kind) {
    case 'stopped':
    case 'waiting':
      return state.message;
    case 'gone':
      return 'the topic was deleted, or created anew, meanwhile';
    case 'fetching':
      if (isDoubted) return 'whether its leader has the same log was not told';
      return ends !== undefined && ends.stable < end
        ? `the cluster lost records meanwhile: it had them up to ${end}, and now up to ${ends.stable}`
        : 'its end was not reached';
  }
}
