/** Emptying a topic that stays: its records go, up to the ends that were looked at, and nothing that came behind them. */
import { VarveError } from '../errors.ts';
import { kafkaError } from '../kafka/kafka.ts';
import type { ExistingTopic } from './plan.ts';
import { offsetsOf, topicError } from './target-facts.ts';
import { changeSettings, lookAt, until, type TopicPorts } from './target-topic.ts';
import type { ConfigPairs } from './topic-settings.ts';

export interface Emptying {
  readonly topic: string;
  readonly topicId: string;
  /** Of each partition, the offset that it ended at: what stands below goes. */
  readonly ends: ReadonlyMap<number, bigint>;
  /** Set before, since a compacted topic lets nobody delete records. */
  readonly temporary: ConfigPairs;
}

/** May be done again where it was begun: it ends with every partition beginning and ending where it ended before. */
export async function emptyTopic(ports: TopicPorts, emptying: Emptying): Promise<void> {
  const { cluster, signal } = ports;
  const { topic, topicId, ends, temporary } = emptying;
  await offsetsAsNoted(ports, emptying);
  await changeSettings(ports, topic, temporary);
  await until(ports, `topic ${topic} to be empty`, async () => {
    const found = await lookAt(ports, topic);
    if (found?.topicId !== topicId) throw changed(topic, 'it was deleted or made anew');
    const rows = found.partitions.flatMap(({ partition, leaderId }) => {
      const before = ends.get(partition);
      return before === undefined ? [] : [{ topic, partition, leaderId, before }];
    });
    for (const { partition, errorCode } of await cluster.deleteRecords(rows, { signal })) {
      // The leader may not have heard of the settings yet.
      if (errorCode === policyViolation || kafkaError(errorCode).retryable) return false;
      if (errorCode !== 0) throw topicError(`${topic}/${partition}`, errorCode);
    }
    return (await offsetsAsNoted(ports, emptying)).every(({ start, end }) => start === end);
  });
}

const policyViolation = 44;

/** Of the partitions that are emptied; throws where one does not end where it did. */
async function offsetsAsNoted(
  ports: TopicPorts,
  { topic, topicId, ends }: Emptying,
): Promise<ExistingTopic['partitions']> {
  const found = await lookAt(ports, topic);
  if (found?.topicId !== topicId) throw changed(topic, 'it was deleted or made anew');
  const offsets = await offsetsOf(ports.cluster, found, ports.signal);
  const rows = offsets.filter(({ partition }) => ends.has(partition));
  for (const { partition, end } of rows) {
    const noted = ends.get(partition);
    if (end !== noted) throw changed(topic, `partition ${partition} ends at ${end}, expected ${noted}`);
  }
  return rows;
}

function changed(topic: string, what: string): VarveError {
  return new VarveError('interrupted', `topic ${topic} changed before it could be emptied: ${what}`, {
    hint: `stop the producers of ${topic} and save what they wrote with varve backup, then run the same command again`,
  });
}
