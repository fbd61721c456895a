import { VarveError } from '../errors.ts';
import { matchesGlob, matchesTopic, type Config } from '../config/config.ts';
import { pause, type Clock } from '../host/host.ts';
import { kafkaPorts, kafkaSettings } from '../daemon/daemon.ts';
import { connectCluster, kafkaError, type Broker, type Cluster, type TopicMetadata } from '../kafka/kafka.ts';
import { plural } from '../observe/observe.ts';
import type { CommandContext } from './command.ts';
import { fail, failureOf, ok, warn, type Finding, type Tell } from './findings.ts';
import { listed } from './names.ts';

export async function probeKafka(
  { host, signal }: CommandContext,
  config: Config,
  { boundCluster, tell }: { boundCluster: string | undefined; tell: Tell },
): Promise<void> {
  try {
    await using cluster = await connectCluster({
      settings: kafkaSettings(config.kafka, host),
      ports: kafkaPorts(host),
      signal,
    });
    const { brokers, topics } = await cluster.metadata();
    await tell(clusterFinding(cluster.clusterId, { brokers: brokers.length, boundCluster }));
    const reached: number[] = [];
    for (const broker of brokers) {
      const finding = await probeBroker(cluster, broker);
      if (finding.level === 'ok') reached.push(broker.id);
      await tell(finding);
    }
    const wanted = topics.filter((topic) => matchesTopic(config, topic.name));
    for (const finding of await topicFindings(cluster, config, { topics, wanted })) await tell(finding);
    await tell(await probeReading(cluster, wanted, reached));
    await tell(await probeGroup(cluster, config.kafka.groupId, { clock: host.clock, signal }));
  } catch (error) {
    await tell(failureOf('kafka', error));
  }
}

function clusterFinding(
  clusterId: string,
  { brokers, boundCluster }: { brokers: number; boundCluster: string | undefined },
): Finding {
  if (boundCluster !== undefined && boundCluster !== clusterId) {
    return fail('kafka', 'wrong-cluster', {
      detail: `the local folder belongs to another cluster: expected ${boundCluster}, got ${clusterId}`,
      hint: 'point kafka.brokers at the cluster these files come from, or give this cluster a local.dir of its own',
    });
  }
  return ok('kafka', `cluster ${clusterId} with ${plural(brokers, 'broker')}`);
}

/** By the address that the cluster gives out, which is the one a backup uses. */
async function probeBroker(cluster: Cluster, { id, host, port }: Broker): Promise<Finding> {
  try {
    const fetcher = await cluster.fetcher(id);
    await fetcher[Symbol.asyncDispose]();
    return ok('broker', `${id} at ${host}:${port} answers, and is new enough`);
  } catch (error) {
    const { hint, ...found } = failureOf('broker', error);
    const advertised =
      'brokers are reached by the addresses in their advertised.listeners: check those as well';
    return { ...found, detail: `${id} at ${host}:${port}: ${found.detail}`, hint: hint ?? advertised };
  }
}

async function topicFindings(
  cluster: Cluster,
  config: Config,
  { topics, wanted }: { topics: readonly TopicMetadata[]; wanted: readonly TopicMetadata[] },
): Promise<Finding[]> {
  const { include } = config.topics;
  const partitions = wanted.flatMap((topic) => topic.partitions);
  const found = `${plural(wanted.length, 'topic')} with ${plural(partitions.length, 'partition')} of the ${topics.length} that are shown to this user`;
  const findings = [
    wanted.length > 0
      ? ok('topics', found)
      : warn('topics', found, 'check topics.include and topics.exclude'),
  ];
  const known = new Set(topics.map((topic) => topic.name));
  const absent = include.filter((name) => isName(name) && !known.has(name));
  if (absent.length > 0) findings.push(...(await absentFindings(cluster, absent)));
  const idle = include.filter((glob) => !isName(glob) && ![...known].some((name) => matchesGlob(glob, name)));
  if (idle.length > 0) {
    findings.push(
      warn('topics', `nothing matches ${listed(idle)}`, 'check the spelling, or wait for the topics'),
    );
  }
  const leaderless = partitions.filter((partition) => partition.leaderId < 0).length;
  if (leaderless > 0) {
    findings.push(
      warn(
        'topics',
        `${plural(leaderless, 'partition')} without a leader`,
        'they are saved once one leads them',
      ),
    );
  }
  return findings;
}

function isName(text: string): boolean {
  return /^[a-zA-Z0-9._-]+$/.test(text);
}

/** Asked by name, a broker says whether a topic is not there or not shown. */
async function absentFindings(cluster: Cluster, names: readonly string[]): Promise<Finding[]> {
  const { topics } = await cluster.metadata({ topics: names });
  const denied = topics.filter((topic) => kafkaError(topic.errorCode).kind === 'authorization');
  const deniedNames = new Set(denied.map((topic) => topic.name));
  const missing = names.filter((name) => !deniedNames.has(name));
  return [
    ...(missing.length === 0
      ? []
      : [
          fail('topics', 'incomplete', {
            detail: `the cluster has no ${listed(missing)}`,
            hint: 'check topics.include; a topic is never created by asking for it',
          }),
        ]),
    ...(denied.length === 0 ? [] : [deniedFinding('topics', [...deniedNames])]),
  ];
}

function deniedFinding(what: string, names: readonly string[]): Finding {
  return fail(what, 'kafka-refused', {
    detail: `this user may not read ${listed(names)}`,
    hint: 'grant it Read and Describe on these topics, or exclude them',
  });
}

/** Fetches next to nothing of one partition of each topic: only that shows who may read. */
async function probeReading(
  cluster: Cluster,
  wanted: readonly TopicMetadata[],
  brokers: readonly number[],
): Promise<Finding> {
  const nameById = new Map(wanted.map((topic) => [topic.topicId, topic.name]));
  const denied: string[] = [];
  let asked = 0;
  for (const brokerId of brokers) {
    const partitions = wanted.flatMap((topic) => {
      const led = topic.partitions.find((partition) => partition.leaderId >= 0);
      if (led?.leaderId !== brokerId) return [];
      const { topicId } = topic;
      return { topicId, partition: led.partition, leaderEpoch: -1, offset: 0n, lastEpoch: -1, maxBytes: 1 };
    });
    if (partitions.length === 0) continue;
    asked += partitions.length;
    await using fetcher = await cluster.fetcher(brokerId);
    const response = await fetcher.fetch({ maxWaitMs: 0, minBytes: 0, maxBytes: 1, partitions });
    for (const { topicId, errorCode } of response.partitions) {
      if (kafkaError(errorCode).kind === 'authorization') denied.push(nameById.get(topicId) ?? topicId);
    }
    response.release();
  }
  if (denied.length > 0) return deniedFinding('reading', denied);
  return ok('reading', `${plural(asked, 'topic')} may be read`);
}

const coordinatorWaitMs = 10_000;
const coordinatorAskEveryMs = 250;

/** A cluster that never had a group makes its coordinator when it is first asked for one. */
async function probeGroup(
  cluster: Cluster,
  group: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Finding> {
  const beganMs = clock.nowMs();
  for (;;) {
    try {
      const rows = await cluster.committedOffsets(group, { signal });
      const seen = rows.length === 0 ? 'no position in it yet' : `${plural(rows.length, 'position')} in it`;
      return ok('group', `${group} may be used; ${seen}`);
    } catch (error) {
      const isPassing = error instanceof VarveError && error.retryable && !signal.aborted;
      if (!isPassing || clock.nowMs() - beganMs > coordinatorWaitMs) {
        const { hint, ...found } = failureOf('group', error);
        return { ...found, hint: hint ?? 'grant this user Read on the group' };
      }
    }
    await pause(clock, coordinatorAskEveryMs, signal);
  }
}
