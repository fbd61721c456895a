import { VarveError } from '../errors.ts';
import { noAnswer, type GroupState } from './api.ts';
import { inChunks } from './chunks.ts';
import { describeConsumerGroupsMessage } from './messages/describe-consumer-groups.ts';
import { describeGroupsMessage } from './messages/describe-groups.ts';
import { attemptsMax, findAll, mayPass, pauseAfter, type SavedGroupsPorts } from './saved-groups.ts';
import type { Wire } from './wire.ts';

const groupsPerRequestMax = 100;
const groupIdNotFound = 69;
/** Kafka 3.9 knows the question; where the new protocol is not switched on, this is its answer for every group. */
const unsupportedVersion = 35;

/** One row per group, in their order; a group that cannot be looked at has an error code. */
export async function groupStates(ports: SavedGroupsPorts, groups: readonly string[]): Promise<GroupState[]> {
  const states = new Map<string, GroupState>();
  let left = groups;
  for (let attempt = 1; attempt <= attemptsMax && left.length > 0; attempt += 1) {
    if (attempt > 1) await pauseAfter(ports, attempt - 1);
    const { found, lost } = await findAll(ports, left);
    for (const { group, errorCode } of lost) states.set(group, unknown(group, errorCode));
    for (const { address, groups: ofOne } of found.values()) {
      try {
        for (const state of await statesAt(await ports.to(address), ofOne, ports.signal))
          states.set(state.group, state);
      } catch (error) {
        if (!(error instanceof VarveError) || error.code === 'interrupted') throw error;
        for (const group of ofOne) states.set(group, unknown(group, noAnswer));
      }
    }
    left = left.filter((group) => {
      const errorCode = states.get(group)?.errorCode ?? noAnswer;
      return errorCode !== 0 && mayPass(errorCode, attempt);
    });
  }
  return groups.map((group) => states.get(group) ?? unknown(group, noAnswer));
}

function unknown(group: string, errorCode: number): GroupState {
  return { group, errorCode, state: '', members: [] };
}

/** Asks a coordinator about its groups: for those of the new protocol, which look dead in the old answer, once more. */
async function statesAt(
  wire: Wire,
  groups: readonly string[],
  signal: AbortSignal | undefined,
): Promise<GroupState[]> {
  const found: GroupState[] = [];
  for (const chunk of inChunks(groups, groupsPerRequestMax)) {
    const states = new Map<string, GroupState>();
    for (const state of await wire.call(describeGroupsMessage, chunk, { signal }))
      states.set(state.group, state);
    const dead = chunk.filter((group) => isDead(states.get(group)));
    if (dead.length > 0 && wire.speaks(describeConsumerGroupsMessage)) {
      for (const state of await wire.call(describeConsumerGroupsMessage, dead, { signal }))
        if (state.errorCode !== groupIdNotFound && state.errorCode !== unsupportedVersion)
          states.set(state.group, state);
    }
    for (const group of chunk) {
      const state = states.get(group) ?? unknown(group, noAnswer);
      const isNone = state.errorCode === groupIdNotFound;
      found.push(isNone ? { group, errorCode: 0, state: 'Dead', members: [] } : state);
    }
  }
  return found;
}

function isDead(state: GroupState | undefined): boolean {
  return state === undefined || state.errorCode === groupIdNotFound || state.state === 'Dead';
}
