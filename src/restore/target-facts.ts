import { VarveError } from '../errors.ts';
import type { Clock } from '../host/host.ts';
import {
  earliestOffset,
  kafkaError,
  latestOffset,
  noAnswer,
  type Cluster,
  type GroupState,
  type OffsetQuestion,
  type PartitionMetadata,
} from '../kafka/kafka.ts';
import { refuseUnseen } from './group-plan.ts';
import { patiently } from './patience.ts';
import type { ExistingTopic, TargetFacts } from './plan.ts';
import { wantedConfigs, type ConfigPairs, type LeftOff } from './topic-settings.ts';

export interface WantedTopic {
  readonly target: string;
  readonly isRecreated: boolean;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: ConfigPairs;
  readonly asked: ConfigPairs;
}

interface Asking {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Asks the cluster everything that a plan needs, again while leaders change, and changes nothing. */
export async function readTargetFacts(
  ports: Asking,
  wanted: readonly WantedTopic[],
  o: { addresses: string },
): Promise<TargetFacts> {
  const { addresses } = o;
  const facts = await patiently(async () => readFacts(ports, wanted), ports);
  return { ...facts, addresses, nowMs: ports.clock.nowMs() };
}

/** How groups stand: all that are there, and those that are to be set, of which each must be known. */
export async function groupsOfTarget(planned: readonly string[], ports: Asking): Promise<GroupState[]> {
  const { cluster, signal } = ports;
  return await patiently(async () => {
    const names = new Set([...planned, ...(await cluster.groupNames({ signal }))]);
    const states = await cluster.groupStates([...names], { signal });
    refuseUnseen(planned, states);
    return states;
  }, ports);
}

async function readFacts(
  { cluster, signal }: Asking,
  wanted: readonly WantedTopic[],
): Promise<Omit<TargetFacts, 'addresses' | 'nowMs'>> {
  const names = wanted.map(({ target }) => target);
  const { topics: found, brokers } = await cluster.metadata({ topics: names, signal });
  const topics = new Map<string, ExistingTopic>();
  for (const topic of found) {
    if (topic.errorCode === unknownTopic) continue;
    if (topic.errorCode !== 0) throw topicError(topic.name, topic.errorCode);
    topics.set(topic.name, {
      topicId: topic.topicId,
      partitions: await offsetsOf(cluster, topic, signal),
      configs: [],
    });
  }
  const existing = [...topics.keys()];
  for (const { topic, configs, failure } of await cluster.topicConfigs(existing, { signal })) {
    const known = topics.get(topic);
    if (failure !== undefined) throw failure;
    if (known !== undefined)
      topics.set(topic, { ...known, configs: configs.map(({ name, value }) => [name, value] as const) });
  }
  const effective = new Map<string, ReadonlyMap<string, string>>();
  for (const { topic, configs } of await cluster.effectiveConfigs(existing, { signal }))
    effective.set(topic, new Map(configs.map(({ name, value }) => [name, value])));
  const refused = new Map<string, readonly LeftOff[]>();
  const known = new Set<string>();
  for (const topic of wanted) {
    const isNew = !topics.has(topic.target) || topic.isRecreated;
    if (!isNew) {
      for (const name of effective.get(topic.target)?.keys() ?? []) known.add(name);
      continue;
    }
    const probed = await probeTopic(cluster, topic, {
      exists: topics.has(topic.target),
      brokers: brokers.length,
      signal,
    });
    refused.set(topic.target, probed.refused);
    if (probed.effective.size > 0) effective.set(topic.target, probed.effective);
    for (const name of probed.effective.keys()) known.add(name);
  }
  return {
    cluster: cluster.clusterId,
    brokers: brokers.length,
    topics,
    effective,
    refused,
    known,
  };
}

const unknownTopic = 3;
const invalidConfig = 40;

export async function offsetsOf(
  cluster: Cluster,
  topic: { readonly name: string; readonly partitions: readonly PartitionMetadata[] },
  signal: AbortSignal,
): Promise<ExistingTopic['partitions']> {
  const { name, partitions } = topic;
  const ask = async (timestamp: bigint): Promise<Map<number, bigint>> => {
    const questions = partitions.map(({ partition, leaderId }): OffsetQuestion => ({
      topic: name,
      partition,
      leaderId,
      leaderEpoch: -1,
      timestamp,
    }));
    const answers = await cluster.listOffsets(questions, { isolation: 'read_uncommitted', signal });
    const failed = answers.find(({ errorCode }) => errorCode !== 0);
    if (failed !== undefined) {
      if (failed.failure !== undefined) throw failed.failure;
      throw topicError(`${name}/${failed.partition}`, failed.errorCode);
    }
    return new Map(answers.map(({ partition, offset }) => [partition, offset]));
  };
  const starts = await ask(earliestOffset);
  const ends = await ask(latestOffset);
  return partitions
    .map(({ partition }) => ({
      partition,
      start: starts.get(partition) ?? 0n,
      end: ends.get(partition) ?? 0n,
    }))
    .toSorted((a, b) => a.partition - b.partition);
}

export function topicError(what: string, errorCode: number, words?: string): VarveError {
  const { name, text, kind, retryable } = kafkaError(errorCode);
  const more = words === undefined || words === '' ? '' : `: ${words}`;
  return new VarveError(
    kind === 'authorization' || !retryable ? 'kafka-refused' : 'kafka-unreachable',
    `topic ${what}: ${text} (${name})${more}`,
    {
      retryable,
      hint:
        kind === 'authorization'
          ? 'grant this user DESCRIBE, CREATE, WRITE, READ, ALTER_CONFIGS (and DELETE for --recreate and --empty) on the topic'
          : 'look at the cluster, then run the same command again',
    },
  );
}

/** Asks whether the topic could be made, and finds which of its settings this cluster does not take. */
async function probeTopic(
  cluster: Cluster,
  topic: WantedTopic,
  o: { exists: boolean; brokers: number; signal: AbortSignal },
): Promise<{ refused: LeftOff[]; effective: Map<string, string> }> {
  const { partitions, configs, asked } = topic;
  const factor = Math.min(topic.replicationFactor, o.brokers);
  const name = o.exists ? `${topic.target.slice(0, 200)}-varve-probe` : topic.target;
  const tryWith = async (pairs: ConfigPairs) => {
    const [row] = await cluster.createTopics(
      [{ topic: name, partitions, replicationFactor: factor, configs: pairs }],
      { validateOnly: true, signal: o.signal },
    );
    return row ?? { errorCode: noAnswer, message: undefined, configs: [] };
  };
  let wanted = wantedConfigs(configs, asked);
  const refused: LeftOff[] = [];
  let row = await tryWith(wanted);
  if (row.errorCode === invalidConfig) {
    for (const [config, value] of wanted) {
      const alone = await tryWith([[config, value]]);
      if (alone.errorCode !== invalidConfig) continue;
      refused.push({ name: config, value, reason: alone.message ?? 'the cluster does not accept it' });
    }
    wanted = wanted.filter(([config]) => !refused.some((left) => left.name === config));
    row = await tryWith(wanted);
  }
  if (row.errorCode !== 0) throw topicError(topic.target, row.errorCode, row.message);
  return { refused, effective: new Map(row.configs.map(({ name: config, value }) => [config, value])) };
}
