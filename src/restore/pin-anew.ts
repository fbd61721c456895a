/** Where a topic that is to be emptied holds more than when that was begun: that goes as well, if it may. */
import type { Backup } from './backup.ts';
import type { Journal, JournalTopic } from './journal.ts';
import { emptiedOf } from './journal-rows.ts';
import { unsavedIn, unsavedRefused } from './plan.ts';
import type { RestoreRequest } from './request.ts';
import { offsetsOf } from './target-facts.ts';
import { lookAt, type TopicPorts } from './target-topic.ts';

interface Pinning {
  readonly ports: TopicPorts;
  readonly backup: Backup;
  readonly request: Pick<RestoreRequest, 'discardUnsaved'>;
}

/** The journal with the ends of now where nothing was restored yet, or had to be given up. */
export async function pinAnew(journal: Journal, o: Pinning): Promise<Journal> {
  const topics: JournalTopic[] = [];
  for (const topic of journal.topics) topics.push(await pinTopic(topic, o));
  return { ...journal, topics };
}

async function pinTopic(topic: JournalTopic, { ports, backup, request }: Pinning): Promise<JournalTopic> {
  const { target, topicId, sourceId, partitions } = topic;
  if (topic.action !== 'empty' || topic.state !== 'planned' || topicId === null) return topic;
  const found = await lookAt(ports, target);
  if (found?.topicId !== topicId) return topic;
  const pinned = emptiedOf(topic);
  const now = (await offsetsOf(ports.cluster, found, ports.signal)).filter(({ partition }) =>
    pinned.has(partition),
  );
  if (now.every(({ partition, end }) => end === pinned.get(partition))) return topic;
  const unsaved = unsavedIn({ topicId, partitions: now }, await backup.lives(target));
  if (unsaved > 0n && !request.discardUnsaved) throw unsavedRefused({ target, sourceId, topicId, unsaved });
  const ends = new Map(now.map(({ partition, end }) => [partition, end]));
  // Brokers remember what was sent before it was given up, and would take the new batches for the old ones.
  const { cluster, signal } = ports;
  const fresh = topic.isMixed === true ? { producer: await cluster.producerIdentity({ signal }) } : {};
  return {
    ...topic,
    partitions: partitions.map((row) => ({ ...row, start: ends.get(row.partition) ?? row.start, ...fresh })),
  };
}
