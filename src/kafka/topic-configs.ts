import { VarveError } from '../errors.ts';
import { noAnswer, type TopicConfigs } from './api.ts';
import { inChunks } from './chunks.ts';
import { kafkaError } from './errors-of-kafka.ts';
import type { DescribedTopic } from './messages/describe-configs.ts';

/** A broker answers with all that a topic has, also what is not its own: some kilobytes for each. */
const topicsPerRequestMax = 500;

/** What is set on each topic itself, or all that applies to it; one row per name, in the names' order. */
export async function topicConfigs(
  names: readonly string[],
  which: 'own' | 'effective',
  describe: (names: readonly string[]) => Promise<readonly DescribedTopic[]>,
): Promise<TopicConfigs[]> {
  const rows = new Map<string, DescribedTopic>();
  for (const chunk of inChunks(names, topicsPerRequestMax)) {
    for (const row of await describe(chunk)) rows.set(row.topic, row);
  }
  return names.map((topic) => {
    const { errorCode, configs } = rows.get(topic) ?? { errorCode: noAnswer, configs: [] };
    if (errorCode !== 0) return { topic, configs: [], failure: failureOf(topic, errorCode) };
    const wanted = configs.filter(({ isOwn }) => isOwn || which === 'effective');
    const sorted = wanted.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return { topic, configs: sorted.map(({ name, value }) => ({ name, value })) };
  });
}

function failureOf(topic: string, errorCode: number): VarveError {
  const { name, kind, text, retryable } = kafkaError(errorCode);
  const what = `the configuration of topic ${topic} cannot be read: ${text} (${name})`;
  if (kind !== 'authorization')
    return new VarveError(retryable ? 'kafka-unreachable' : 'kafka-refused', what, { retryable });
  return new VarveError('kafka-refused', what, {
    hint: `Grant this user DESCRIBE_CONFIGS on topic ${topic}.`,
  });
}
