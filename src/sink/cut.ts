import type { Coverage, PartitionKey } from '../local/local.ts';
import type { Emit } from './events.ts';
import type { PartitionStream } from './stream.ts';

/** One position for each partition, behind which a new segment begins. */
export interface Cut {
  readonly partitions: readonly (PartitionKey & { readonly coverage: Coverage })[];
  /** Held, but not to be had just now: the files are being opened anew, or the disk refuses them. */
  readonly busy: readonly PartitionKey[];
}

/** The pause is in memory only; what was written before the cut is then made durable, and its files closed. */
export async function cutAll(
  streams: readonly PartitionStream[],
  o: { nowMs: () => number; emit: Emit; sync: () => Promise<void> },
): Promise<Cut> {
  const beganMs = o.nowMs();
  const cuts = streams.map((stream) => ({ stream, log: stream.log, covered: stream.log.cut() }));
  o.emit({ type: 'cut', partitions: streams.length, pauseMs: o.nowMs() - beganMs });
  const covered = await Promise.all(cuts.map(async (cut) => cut.covered));
  await o.sync();
  const partitions: (PartitionKey & { coverage: Coverage })[] = [];
  const busy: PartitionKey[] = [];
  for (const [index, { stream, log }] of cuts.entries()) {
    const coverage = covered[index];
    const isSame = stream.log === log && !stream.isReopening;
    const isDurable =
      coverage !== undefined && isSame && endOf(log.durable?.offset) >= endOf(coverage.ranges.at(-1)?.to);
    if (isDurable) partitions.push({ ...stream.key, coverage });
    else {
      busy.push(stream.key);
      o.emit({ type: 'cut-missed', ...stream.key });
    }
  }
  return { partitions, busy };
}

function endOf(offset: bigint | undefined): bigint {
  return offset ?? 0n;
}
