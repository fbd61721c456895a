/** Making the topic that is restored into, and giving it its own settings in the end. */
import { VarveError } from '../errors.ts';
import { pause, steadyMs, type Clock } from '../host/host.ts';
import { noAnswer, type Cluster, type TopicMetadata } from '../kafka/kafka.ts';
import { patiently } from './patience.ts';
import type { ExistingTopic } from './plan.ts';
import { offsetsOf, topicError } from './target-facts.ts';
import type { ConfigPairs } from './topic-settings.ts';

export interface TopicPorts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const waitMsMax = 120_000;
const pauseMs = 50;
const unknownTopic = 3;
const topicExists = 36;

/** Deletes exactly this life of the topic, and waits until the cluster has forgotten its name. */
export async function deleteTopic(
  ports: TopicPorts,
  { topic, topicId }: { topic: string; topicId: string },
): Promise<void> {
  const { cluster, signal } = ports;
  await until(ports, `topic ${topic} to be gone`, async () => {
    if ((await lookAt(ports, topic))?.topicId !== topicId) return true;
    // Once more does no harm, and whether the answer before was of the controller of now is not known.
    const [row] = await cluster.deleteTopics([topicId], { signal });
    const isGone =
      row?.errorCode === 0 || row?.errorCode === unknownTopicId || row?.errorCode === unknownTopic;
    if (!isGone) throw topicError(topic, row?.errorCode ?? noAnswer, row?.message);
    return false;
  });
}

const unknownTopicId = 100;

/**
 * Makes the topic and returns its id. One of this name that is empty and has these settings is ours: made by a run that
 * could not note it, or by a controller that could not answer any more.
 */
export async function createTopic(
  ports: TopicPorts,
  o: {
    topic: string;
    partitions: number;
    replicationFactor: number;
    configs: ConfigPairs;
    /** The life of it that was deleted. */
    oldId: string | null;
  },
): Promise<string> {
  const { cluster, signal } = ports;
  let topicId = '';
  await until(ports, `topic ${o.topic} to be made`, async () => {
    const [row] = await cluster.createTopics([o], { signal });
    if (row?.errorCode === 0) topicId = row.topicId;
    else if (row?.errorCode === topicExists) {
      const found = await lookAt(ports, o.topic);
      // Its name may still be about to go, or to be heard of.
      if (found === undefined || found.topicId === o.oldId) return false;
      if (await isUntouched(ports, found, o.configs)) topicId = found.topicId;
      else
        throw new VarveError('interrupted', `topic ${o.topic} was made by somebody else meanwhile`, {
          hint: 'find out who did that (automatic creation by a client?), then run the command again',
        });
    } else {
      const error = topicError(o.topic, row?.errorCode ?? noAnswer, row?.message);
      if (!error.retryable) throw error;
      return false;
    }
    return true;
  });
  return topicId;
}

async function isUntouched(ports: TopicPorts, found: TopicMetadata, configs: ConfigPairs): Promise<boolean> {
  if ((await foreignSettings(ports, found.name, configs)).length > 0) return false;
  return (await offsetsOf(ports.cluster, found, ports.signal)).every(({ end }) => end === 0n);
}

/** Resolves once every leader serves this very life of the topic. */
export async function waitForLeaders(
  ports: TopicPorts,
  o: { topic: string; topicId: string; partitions: number; isNew: boolean },
): Promise<TopicMetadata> {
  const { topic, topicId, partitions } = o;
  const ready = new Set<number>();
  let found: TopicMetadata | undefined;
  await until(ports, `the leaders of topic ${topic} to be ready`, async () => {
    found = await lookAt(ports, topic);
    if (found === undefined || found.topicId !== topicId || found.partitions.length < partitions)
      return false;
    const left = found.partitions.filter(({ partition }) => !ready.has(partition));
    if (left.some(({ leaderId, errorCode }) => leaderId < 0 || errorCode !== 0)) return false;
    const byLeader = Map.groupBy(left, ({ leaderId }) => leaderId);
    for (const [leaderId, rows] of byLeader) {
      await using fetcher = await ports.cluster.fetcher(leaderId);
      const response = await fetcher.fetch(
        {
          maxWaitMs: 0,
          minBytes: 0,
          maxBytes: 1024,
          partitions: rows.map(({ partition }) => ({
            topicId,
            partition,
            leaderEpoch: -1,
            offset: 0n,
            lastEpoch: -1,
            maxBytes: 1024,
          })),
        },
        ports.signal,
      );
      for (const { partition, errorCode, highWatermark } of response.partitions) {
        const isServed = errorCode === 0 && (!o.isNew || highWatermark === 0n);
        if (isServed || (!o.isNew && errorCode === offsetOutOfRange)) ready.add(partition);
      }
      response.release();
    }
    return ready.size >= partitions;
  });
  if (found === undefined) throw new Error('ready without an answer');
  return found;
}

const offsetOutOfRange = 1;

/** Sets or takes away what is named, and nothing else. */
export async function changeSettings(
  ports: TopicPorts,
  topic: string,
  configs: readonly (readonly [name: string, value: string | undefined])[],
): Promise<void> {
  if (configs.length === 0) return;
  const { cluster, signal } = ports;
  await patiently(async () => {
    const [row] = await cluster.changeTopicConfigs([{ topic, configs }], { signal });
    if (row?.errorCode !== 0) throw topicError(topic, row?.errorCode ?? noAnswer, row?.message);
  }, ports);
}

/** Which of the temporary settings are not what they were set to: somebody else has a hand in it. */
export async function foreignSettings(
  { cluster, signal }: TopicPorts,
  topic: string,
  temporary: ConfigPairs,
): Promise<string[]> {
  const [row] = await cluster.topicConfigs([topic], { signal });
  if (row === undefined || row.failure !== undefined) return [];
  const now = new Map(row.configs.map(({ name, value }) => [name, value]));
  return temporary.filter(([name, value]) => now.get(name) !== value).map(([name]) => name);
}

/** The topic as the cluster tells it now; undefined where there is none. */
export async function lookAt(
  { cluster, signal }: TopicPorts,
  topic: string,
): Promise<TopicMetadata | undefined> {
  const { topics } = await cluster.metadata({ topics: [topic], signal });
  const found = topics.find(({ name }) => name === topic);
  if (found === undefined || found.errorCode === unknownTopic) return undefined;
  if (found.errorCode !== 0 && found.errorCode !== leaderNotAvailable)
    throw topicError(topic, found.errorCode);
  return found;
}

const leaderNotAvailable = 5;

/** Where the partitions of this life begin and end now, asked again while leaders change; undefined: it is not there. */
export async function lookInto(
  ports: TopicPorts,
  { topic, topicId }: { topic: string; topicId: string },
): Promise<ExistingTopic['partitions'] | undefined> {
  return await patiently(async () => {
    const found = await lookAt(ports, topic);
    return found?.topicId === topicId ? await offsetsOf(ports.cluster, found, ports.signal) : undefined;
  }, ports);
}

/** Asks again and again, for two minutes. */
export async function until(
  { clock, signal }: TopicPorts,
  what: string,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const sinceMs = steadyMs(clock);
  let trouble: unknown;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (await isDone()) return;
    } catch (error) {
      if (!(error instanceof VarveError) || !error.retryable) throw error;
      trouble = error;
    }
    if (steadyMs(clock) - sinceMs > waitMsMax) {
      throw new VarveError('interrupted', `waited ${waitMsMax / 1000} s for ${what}`, {
        hint: 'look at the controller and the brokers, then run the same command again',
        cause: trouble,
      });
    }
    await pause(clock, pauseMs, signal);
  }
}
