/** Which groups get which offsets, and what stands in the way. Pure. */
import { nearest } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import { kafkaError, type GroupState } from '../kafka/kafka.ts';
import type { SavedGroup } from '../repository/repository.ts';
import type { RestoreRequest } from './request.ts';

export interface GroupOffset {
  readonly target: string;
  readonly partition: number;
  /** As it was committed at the source; undefined where the group goes to an end. */
  readonly sourceOffset: bigint | undefined;
  readonly metadata: string;
}

export interface GroupPlan {
  readonly group: string;
  readonly offsets: readonly GroupOffset[];
  readonly to: RestoreRequest['groupsTo'];
}

export interface ActiveGroup {
  readonly group: string;
  readonly state: string;
  readonly members: readonly { readonly clientId: string; readonly host: string }[];
}

/** Its own groups, and what is kept of restores. */
export const ownPrefix = 'varve-';

export interface MappedTopic {
  readonly topic: string;
  readonly target: string;
  readonly partitions: readonly number[];
  /** An offset of the backup means nothing there: a group goes to an end of every partition, or nowhere. */
  readonly isRepartitioned: boolean;
  /** Whether groups of this topic go along unasked: it comes back under its own name. */
  readonly byDefault: boolean;
}

export function planGroups(
  saved: readonly SavedGroup[],
  topics: readonly MappedTopic[],
  request: Pick<RestoreRequest, 'groups' | 'groupsTo'>,
): GroupPlan[] {
  const { groups, groupsTo } = request;
  if (groups === 'none') return [];
  const isMeant = ({ byDefault }: MappedTopic): boolean => groups !== 'default' || byDefault;
  const plan = saved.flatMap(({ group, offsets }): GroupPlan[] => {
    if (group.startsWith(ownPrefix)) return [];
    if (typeof groups !== 'string' && !groups.includes(group)) return [];
    const spread = topics.flatMap((mapped) =>
      mapped.isRepartitioned && isMeant(mapped) && offsets.some(({ topic }) => topic === mapped.topic)
        ? endsOf(mapped, groupsTo)
        : [],
    );
    const kept = offsets.flatMap(({ topic, partition, offset, metadata }): GroupOffset[] => {
      const mapped = topics.find((row) => row.topic === topic);
      if (mapped === undefined || mapped.isRepartitioned || !isMeant(mapped)) return [];
      if (!mapped.partitions.includes(partition)) return [];
      const { target } = mapped;
      return [{ target, partition, sourceOffset: offset, metadata }];
    });
    const wanted = [...kept, ...spread];
    return wanted.length === 0 ? [] : [{ group, offsets: wanted, to: groupsTo }];
  });
  const known = new Set(plan.map(({ group }) => group));
  const unknown = typeof groups === 'string' ? undefined : groups.find((group) => !known.has(group));
  if (unknown !== undefined) throw unknownGroup(unknown, { saved, topics });
  return plan;
}

function endsOf({ target, partitions }: MappedTopic, to: RestoreRequest['groupsTo']): GroupOffset[] {
  if (to === 'saved') return [];
  return partitions.map((partition) => ({ target, partition, sourceOffset: undefined, metadata: '' }));
}

function unknownGroup(
  group: string,
  { saved, topics }: { saved: readonly SavedGroup[]; topics: readonly MappedTopic[] },
): VarveError {
  const known = saved
    .filter(({ offsets }) => offsets.some((row) => topics.some(({ topic }) => topic === row.topic)))
    .map((row) => row.group)
    .filter((name) => !name.startsWith(ownPrefix));
  const near = nearest(group, known);
  const shown = known.length === 0 ? 'there is none' : `there are ${known.slice(0, 10).join(', ')}`;
  const more = known.length > 10 ? ` and ${known.length - 10} more` : '';
  return new VarveError(
    'nothing-selected',
    `no group ${JSON.stringify(group)} with offsets on what is restored in this backup; ${near === undefined ? '' : `did you mean ${near}? `}${shown}${more}`,
    { hint: 'name one of them, or leave --group out' },
  );
}

/** Groups that are not to be touched now: those of the plan that live, and those whose members are at a topic. */
export function activeGroups(
  plan: readonly GroupPlan[],
  states: readonly GroupState[],
  targets: readonly string[],
): ActiveGroup[] {
  const planned = new Set(plan.map(({ group }) => group));
  return states.flatMap(({ group, state, members }) => {
    if (members.length === 0 || group.startsWith(ownPrefix)) return [];
    const isThere = members.some(({ topics }) => topics.some((topic) => targets.includes(topic)));
    if (!planned.has(group) && !isThere) return [];
    return [{ group, state, members: members.map(({ clientId, host }) => ({ clientId, host })) }];
  });
}

/** A group that is to be set and cannot be looked at may have members: that it has none must be known. */
export function refuseUnseen(groups: readonly string[], states: readonly GroupState[]): void {
  const planned = new Set(groups);
  const unseen = states.find(({ group, errorCode }) => errorCode !== 0 && planned.has(group));
  if (unseen === undefined) return;
  const { name, text, kind, retryable } = kafkaError(unseen.errorCode);
  throw new VarveError(
    kind === 'authorization' ? 'kafka-refused' : 'kafka-unreachable',
    `whether group ${unseen.group} is active cannot be told: ${text} (${name})`,
    {
      retryable,
      hint: `grant this user DESCRIBE and READ on group ${unseen.group}, or leave it out`,
    },
  );
}

export function activeRefused(active: readonly ActiveGroup[], more = ''): VarveError {
  const named = active.map(({ group, state, members }) => {
    const who = members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ');
    return `${group} (${state}; ${who})`;
  });
  return new VarveError('refused', `groups are active: ${named.join('; ')}`, {
    hint: `stop their consumers, then run the command again; --skip-active-groups leaves them as they are and ends with 3${more}`,
  });
}
