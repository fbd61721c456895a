/** Restores that were begun before: which of them a command goes on with, and which are in its way. */
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import type { Backup } from './backup.ts';
import { findJournals, readJournals, type Journal } from './journal.ts';
import { patiently, surely } from './patience.ts';
import type { SourceTopic } from './plan.ts';
import { offsetsOf } from './target-facts.ts';
import { lookAt } from './target-topic.ts';

interface Ports {
  readonly host: Host;
  readonly cluster: Cluster;
  readonly backup: Backup;
  readonly localFolder: string | undefined;
  readonly signal: AbortSignal;
}

export interface Earlier {
  /** The same command, which was stopped before its end. */
  readonly open: Journal | undefined;
  /** The same command, which came to its end and of which nothing has changed since. */
  readonly done: Journal | undefined;
  /** Of every command. */
  readonly journals: readonly Journal[];
}

/** `request`: the hash of what is asked for now. */
export async function findEarlier(request: string, ports: Ports): Promise<Earlier> {
  const { cluster, host, localFolder, signal } = ports;
  const local = await readJournals(host, localFolder);
  const known = new Set(local.map(({ id }) => id));
  // A broker that has just died is still listed, and cannot be asked, for a while.
  const found = await patiently(async () => findJournals(cluster, { known, signal }), topicPorts(ports));
  const same = [...local, ...(await ofThisBackup(found, ports))].filter(
    (journal) => journal.request === request && journal.cluster === cluster.clusterId,
  );
  const journals = [...local, ...found];
  const open = same.findLast(({ finishedMs }) => finishedMs === null);
  if (open !== undefined && (await isAlive(open, ports))) return { open, done: undefined, journals };
  const done = same.findLast(({ finishedMs }) => finishedMs !== null);
  const isThere = done !== undefined && (await isUnchanged(done, ports));
  return { open: undefined, done: isThere ? done : undefined, journals };
}

/** A topic that another command has begun is nobody else's to touch. */
export async function refuseHalfDone(
  sources: readonly SourceTopic[],
  journals: readonly Journal[],
  ports: Ports,
): Promise<void> {
  for (const journal of journals) {
    if (journal.finishedMs !== null || journal.cluster !== ports.cluster.clusterId) continue;
    const half = journal.topics.find(
      ({ target, topicId }) => topicId !== null && sources.some((source) => source.target === target),
    );
    if (half === undefined) continue;
    if ((await lookAt(topicPorts(ports), half.target))?.topicId !== half.topicId) continue;
    throw new VarveError(
      'refused',
      `topic ${half.target} is half restored by another command (restore ${journal.id}): ${journal.command}`,
      {
        hint: 'run that command again: it goes on where it stopped; to begin anew instead, delete the topic first',
      },
    );
  }
}

/** Other installations keep theirs in the same cluster, and `--all-topics` reads the same in each of them. */
async function ofThisBackup(journals: readonly Journal[], { backup }: Ports): Promise<Journal[]> {
  const own: Journal[] = [];
  for (const journal of journals) {
    const lives = await Promise.all(
      journal.topics.map(async ({ source, sourceId }) =>
        (await backup.lives(source)).some(({ topicId }) => topicId === sourceId),
      ),
    );
    if (lives.every(Boolean)) own.push(journal);
  }
  return own;
}

/** Whether the topics that a journal tells of are still the ones that it was about. */
async function isAlive({ topics }: Journal, ports: Ports): Promise<boolean> {
  for (const { target, topicId } of topics) {
    if (topicId === null) continue;
    const found = await surely(
      async () => lookAt(topicPorts(ports), target),
      (answer) => answer?.topicId === topicId,
      topicPorts(ports),
    );
    if (found?.topicId !== topicId) return false;
  }
  return true;
}

async function isUnchanged({ topics }: Journal, ports: Ports): Promise<boolean> {
  for (const { target, topicId, partitions } of topics) {
    const found = await lookAt(topicPorts(ports), target);
    if (found === undefined || found.topicId !== topicId) return false;
    const now = await offsetsOf(ports.cluster, found, ports.signal);
    const isSame = partitions.every(
      ({ partition, end }) => now.find((row) => row.partition === partition)?.end === end,
    );
    if (!isSame) return false;
  }
  return true;
}

function topicPorts({ cluster, host, signal }: Ports): {
  cluster: Cluster;
  clock: Host['clock'];
  signal: AbortSignal;
} {
  return { cluster, clock: host.clock, signal };
}
