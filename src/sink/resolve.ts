import { kafkaError, noAnswer, type Cluster } from '../kafka/kafka.ts';
import type { PartitionStream } from './stream.ts';

/**
 * Settles «offset out of range». The answer itself says nothing, so the leader is asked where its log begins and ends.
 * Below the start: a gap. Above the end: the cluster lost records; where the logs part is asked by epoch, since the
 * end that a client sees may lag behind the log's own. Inside: only the epoch did not fit, so it is left out.
 */
export async function resolveRange(
  stream: PartitionStream,
  cluster: Pick<Cluster, 'listOffsets' | 'endOffsetForEpoch'>,
): Promise<void> {
  const { key, leader } = stream;
  const row = {
    topic: key.topic,
    partition: key.partition,
    leaderId: leader.brokerId,
    leaderEpoch: leader.epoch,
  };
  const generation = stream.generation;
  const isolation = { isolation: 'read_uncommitted' } as const;
  const [earliest] = await cluster.listOffsets([{ ...row, timestamp: -2n }], isolation);
  const [latest] = await cluster.listOffsets([{ ...row, timestamp: -1n }], isolation);
  if (generation !== stream.generation) return;
  if (earliest === undefined || latest === undefined || earliest.errorCode !== 0 || latest.errorCode !== 0) {
    const code = earliest?.errorCode === 0 ? latest?.errorCode : earliest?.errorCode;
    stream.retryLater(`where its log begins and ends: ${kafkaError(code ?? noAnswer).name}`);
    return;
  }
  if (earliest.offset < 0n || latest.offset < earliest.offset) {
    stream.retryLater(`its log would begin at ${earliest.offset} and end at ${latest.offset}`);
    return;
  }
  const { offset, epoch } = stream.next;
  if (offset < earliest.offset) {
    await stream.skipTo(earliest.offset);
  } else if (offset <= latest.offset) {
    stream.rewind({ offset, epoch: -1 });
  } else {
    await resolveBehindEnd(stream, { cluster, row: { ...row, epoch } });
    return;
  }
  stream.settle();
}

async function resolveBehindEnd(
  stream: PartitionStream,
  o: {
    cluster: Pick<Cluster, 'endOffsetForEpoch'>;
    row: { topic: string; partition: number; leaderId: number; leaderEpoch: number; epoch: number };
  },
): Promise<void> {
  const generation = stream.generation;
  const [answer] = await o.cluster.endOffsetForEpoch([o.row]);
  if (generation !== stream.generation) return;
  if (answer === undefined || answer.errorCode !== 0) {
    stream.retryLater(`where epoch ${o.row.epoch} ends: ${kafkaError(answer?.errorCode ?? noAnswer).name}`);
  } else if (answer.epoch < 0 || answer.endOffset < 0n) {
    stream.stop(
      'older cluster',
      `position ${stream.next.offset} (epoch ${o.row.epoch}) lies behind the end of the log, and the leader knows no such epoch: ` +
        'the cluster seems to have been put back to an older state',
    );
  } else if (answer.endOffset >= stream.next.offset) {
    stream.retryLater('the end of its log lags behind what was read');
  } else {
    await stream.diverge(answer);
    stream.settle();
  }
}
