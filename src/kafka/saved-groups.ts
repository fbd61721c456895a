import { VarveError } from '../errors.ts';
import { addressText, type Address } from './address.ts';
import { noAnswer, type CommittedOffset, type SavedGroup } from './api.ts';
import { inChunks } from './chunks.ts';
import { kafkaError } from './errors-of-kafka.ts';
import { findCoordinatorsMessage } from './messages/find-coordinators.ts';
import { listGroupsMessage, type ListedGroup } from './messages/list-groups.ts';
import { offsetFetchMessage } from './messages/offset-fetch.ts';
import type { Wire } from './wire.ts';

export interface SavedGroupsPorts {
  readonly brokers: readonly Address[];
  readonly to: (address: Address) => Promise<Wire>;
  readonly anyBroker: <T>(run: (wire: Wire) => Promise<T>) => Promise<T>;
  /** Ends early when the asker gives up: the next request says so. */
  readonly pause: (delayMs: number) => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** So many groups in one request: an answer with all partitions of a large cluster in each stays within bounds. */
const groupsPerRequestMax = 50;
/** A coordinator that was just elected loads its groups first, and a group may move between being found and asked. */
export const attemptsMax = 14;
/** Before the second attempt; each later pause is twice the one before, up to a limit: 15 seconds in all. */
const firstPauseMs = 100;
const pauseMsMax = 1500;
const groupIdNotFound = 69;

/**
 * Every group that has committed offsets, with all of them. A list that is not whole is an error: a group left out would
 * look as if it were gone. A group that cannot be read is a row with `failure`.
 */
export async function savedGroups(
  ports: SavedGroupsPorts,
  without: (group: string) => boolean,
): Promise<SavedGroup[]> {
  const listed = new Map<string, ListedGroup>();
  for (const rows of await Promise.all(ports.brokers.map(async (broker) => listAt(ports, broker)))) {
    for (const row of rows) if (!without(row.group)) listed.set(row.group, row);
  }
  const answers = await readOffsets(ports, [...listed.keys()]);
  return [...listed.values()]
    .toSorted((a, b) => (a.group < b.group ? -1 : 1))
    .map((row): SavedGroup => ({ ...row, ...(answers.get(row.group) ?? failed(row.group, noAnswer)) }))
    .filter(({ offsets, failure }) => offsets.length > 0 || failure !== undefined);
}

/** Every group there is, whatever it holds. */
export async function groupNames(ports: SavedGroupsPorts): Promise<string[]> {
  const listed = await Promise.all(ports.brokers.map(async (broker) => listAt(ports, broker)));
  return [...new Set(listed.flat().map(({ group }) => group))].toSorted();
}

type Answer = Pick<SavedGroup, 'offsets' | 'failure'>;

async function listAt(ports: SavedGroupsPorts, broker: Address): Promise<readonly ListedGroup[]> {
  const { to, signal } = ports;
  for (let attempt = 1; ; attempt += 1) {
    const wire = await to(broker);
    const { errorCode, groups } = await wire.call(listGroupsMessage, undefined, { signal });
    if (errorCode === 0) return groups;
    const passes = kafkaError(errorCode).kind === 'coordinator';
    if (!passes || attempt === attemptsMax) throw notListed(broker, errorCode);
    await pauseAfter(ports, attempt);
  }
}

export async function pauseAfter({ pause }: SavedGroupsPorts, attempt: number): Promise<void> {
  await pause(Math.min(pauseMsMax, firstPauseMs * 2 ** (attempt - 1)));
}

function notListed(broker: Address, errorCode: number): VarveError {
  const { name, text, retryable } = kafkaError(errorCode);
  const what = `the groups of broker ${addressText(broker)} cannot be listed: ${text} (${name})`;
  return new VarveError(retryable ? 'kafka-unreachable' : 'kafka-refused', what, {
    retryable,
    hint: retryable
      ? 'This passes when the coordinators of the groups are back.'
      : 'Grant this user DESCRIBE on the cluster, or on the groups that are to be saved.',
  });
}

async function readOffsets(
  ports: SavedGroupsPorts,
  groups: readonly string[],
): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>();
  let left = groups;
  for (let attempt = 1; attempt <= attemptsMax && left.length > 0; attempt += 1) {
    if (attempt > 1) await pauseAfter(ports, attempt - 1);
    const { found, lost } = await findAll(ports, left);
    const again = lost.filter(({ errorCode }) => mayPass(errorCode, attempt)).map(({ group }) => group);
    for (const { group, errorCode } of lost) answers.set(group, failed(group, errorCode));
    await Promise.all(
      [...found.values()].map(async ({ address, groups: ofOne }) => {
        for (const chunk of inChunks(ofOne, groupsPerRequestMax)) {
          for (const [group, errorCode, answer] of await readAt(ports, address, chunk)) {
            answers.set(group, answer);
            if (mayPass(errorCode, attempt)) again.push(group);
          }
        }
      }),
    );
    left = again;
  }
  return answers;
}

interface Coordinators {
  readonly found: ReadonlyMap<string, { readonly address: Address; readonly groups: string[] }>;
  readonly lost: readonly { readonly group: string; readonly errorCode: number }[];
}

/** Who coordinates each group now. */
export async function findAll(
  { anyBroker, signal }: SavedGroupsPorts,
  groups: readonly string[],
): Promise<Coordinators> {
  const rows = await anyBroker(async (wire) => wire.call(findCoordinatorsMessage, groups, { signal }));
  const found = new Map<string, { address: Address; groups: string[] }>();
  const lost = new Map(groups.map((group) => [group, noAnswer]));
  for (const { group, host, port, errorCode } of rows) {
    if (!lost.has(group)) continue;
    lost.set(group, errorCode);
    if (errorCode !== 0) continue;
    lost.delete(group);
    const address = { host, port };
    const there = found.get(addressText(address));
    if (there === undefined) found.set(addressText(address), { address, groups: [group] });
    else there.groups.push(group);
  }
  return { found, lost: [...lost].map(([group, errorCode]) => ({ group, errorCode })) };
}

/** A coordinator that cannot be asked fails its own groups alone, and they are looked for once more. */
async function readAt(
  { to, signal }: SavedGroupsPorts,
  coordinator: Address,
  groups: readonly string[],
): Promise<[group: string, errorCode: number, Answer][]> {
  try {
    const wire = await to(coordinator);
    const rows = await wire.call(offsetFetchMessage, groups, { signal });
    const byGroup = new Map(rows.map((row) => [row.group, row]));
    return groups.map((group) => {
      const row = byGroup.get(group);
      const errorCode = row === undefined ? noAnswer : errorOf(row);
      if (errorCode === groupIdNotFound) return [group, 0, { offsets: [] }];
      if (row === undefined || errorCode !== 0) return [group, errorCode, failed(group, errorCode)];
      return [group, 0, { offsets: row.offsets.filter(isCommitted).map(withoutError) }];
    });
  } catch (error) {
    if (!(error instanceof VarveError) || error.code === 'interrupted') throw error;
    return groups.map((group) => [group, noAnswer, { offsets: [], failure: error }]);
  }
}

function errorOf(row: { errorCode: number; offsets: readonly CommittedOffset[] }): number {
  return row.errorCode || (row.offsets.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? 0);
}

/** Kafka accepts a negative offset in a commit; for every client it is the same as none. */
function isCommitted({ offset }: CommittedOffset): boolean {
  return offset >= 0n;
}

function withoutError(row: CommittedOffset): SavedGroup['offsets'][number] {
  const { topic, partition, offset, leaderEpoch, metadata } = row;
  return { topic, partition, offset, leaderEpoch, metadata };
}

/** A broker that could not be asked has cost a time limit already: once more is enough. */
export function mayPass(errorCode: number, attempt: number): boolean {
  if (errorCode === noAnswer) return attempt === 1;
  return kafkaError(errorCode).kind === 'coordinator';
}

function failed(group: string, errorCode: number): Answer {
  const { name, kind, text, retryable } = kafkaError(errorCode);
  const what = `the offsets of group ${group} cannot be read: ${text} (${name})`;
  const failure =
    kind === 'authorization'
      ? new VarveError('kafka-refused', what, {
          hint: `Grant this user DESCRIBE on group ${group} and on its topics.`,
        })
      : new VarveError(retryable ? 'kafka-unreachable' : 'kafka-refused', what, {
          retryable,
          ...(retryable && { hint: 'This passes when the coordinator of the group is back.' }),
        });
  return { offsets: [], failure };
}
