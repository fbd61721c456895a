/** Which topics of the backup are meant, which life of each, and under which names they come back. Pure. */
import { VarveError } from '../errors.ts';
import { matchesGlob, nearest } from '../config/config.ts';
import type { Life } from './backup.ts';
import type { RestoreRequest } from './request.ts';

export interface ChosenTopic {
  readonly topic: string;
  readonly target: string;
}

type Names = Pick<RestoreRequest, 'topics' | 'allTopics' | 'excludeTopics' | 'toTopic' | 'map'>;

/** Topics of the cluster's own are meant only by their exact names. */
export function chooseTopics(known: readonly string[], names: Names): ChosenTopic[] {
  const { topics, allTopics, excludeTopics, toTopic, map } = names;
  const chosen = new Set<string>();
  if (allTopics) for (const name of known) if (!name.startsWith('__')) chosen.add(name);
  for (const glob of topics) {
    const found = known.filter(
      (name) => name === glob || (!name.startsWith('__') && matchesGlob(glob, name)),
    );
    if (found.length === 0) throw unknownTopic(glob, known);
    for (const name of found) chosen.add(name);
  }
  for (const [source] of map) {
    if (!known.includes(source)) throw unknownTopic(source, known);
    chosen.add(source);
  }
  const left = [...chosen].filter((name) => !excludeTopics.some((glob) => matchesGlob(glob, name)));
  if (left.length === 0) {
    throw new VarveError(
      'nothing-selected',
      'no topic is left: some are excluded, or those of the cluster itself (__…) are not named exactly',
      {
        hint: 'varve list latest shows the topics of the newest snapshot',
      },
    );
  }
  if (toTopic !== undefined && left.length > 1) {
    throw new VarveError('usage', `--to-topic: expected one topic, got ${left.length}`, {
      hint: 'for several, --map a:b,c:d names the target of each',
    });
  }
  const targets = new Map(map);
  const result = left.map((topic) => ({ topic, target: toTopic ?? targets.get(topic) ?? topic }));
  const seen = new Set<string>();
  for (const { topic, target } of result) {
    if (!/^[a-zA-Z0-9._-]{1,249}$/.test(target) || target === '.' || target === '..')
      throw new VarveError('usage', `${JSON.stringify(target)} is no name for a topic`, {
        hint: 'a topic has a name of up to 249 letters, digits, dots, dashes and underscores',
      });
    if (seen.has(target))
      throw new VarveError('usage', `two topics would be restored into ${target}, one of them ${topic}`, {
        hint: 'give each a target of its own with --map',
      });
    seen.add(target);
  }
  return result;
}

export function unknownTopic(name: string, known: readonly string[]): VarveError {
  const near = nearest(name, known);
  const shown = known.slice(0, 10).join(', ');
  const there =
    known.length === 0
      ? 'there is none'
      : `there are ${shown}${known.length > 10 ? ` and ${known.length - 10} more` : ''}`;
  return new VarveError(
    'nothing-selected',
    `no topic ${JSON.stringify(name)} in this backup; ${near === undefined ? '' : `did you mean ${near}? `}${there}`,
    { hint: 'varve list latest shows the topics of the newest snapshot' },
  );
}

/** The one that was named, else the newest. */
export function chooseLife(
  lives: readonly Life[],
  topicId: string | undefined,
): { life: Life; others: Life[] } {
  const life = topicId === undefined ? lives.at(-1) : lives.find((one) => one.topicId === topicId);
  if (life !== undefined) return { life, others: lives.filter((one) => one !== life) };
  const there = lives.map((one) => `${one.topicId} (first seen ${one.firstSeen ?? 'unknown'})`).join(', ');
  throw new VarveError(
    'nothing-selected',
    `no incarnation ${JSON.stringify(topicId)} of topic ${lives[0]?.topic ?? ''} in this backup; there are ${there}`,
    { hint: 'name one of them, or leave --incarnation out for the newest' },
  );
}
