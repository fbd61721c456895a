/** The topics that a drill restores into: their names, and how they go again. */
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Cluster } from '../kafka/kafka.ts';
import { deleteTopic, lookAt, readJournals, restoresFolder, type Journal } from '../restore/restore.ts';

const prefix = '__varve-drill-';
const nameCharsMax = 249;

/** No sink ever follows a name that begins like this. */
export function scratchName(id: string, number: number, topic: string): string {
  return `${prefix}${id}-${number}-${topic}`.slice(0, nameCharsMax);
}

/** Of a drill, and in the names of its topics: nobody else comes upon it. */
export function newDrillId({ clock, random }: Pick<Host, 'clock' | 'random'>): string {
  const at = new Date(clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${at}-${random.bytes(4).toString('hex')}`;
}

export interface SweepPorts {
  readonly host: Host;
  /** Of the drills: the journals of their restores are below it. */
  readonly folder: string;
  readonly connect: (signal: AbortSignal) => Promise<Cluster>;
  readonly signal: AbortSignal;
}

/**
 * Deletes every topic that a journal of a drill tells of, this one's or one's that was killed, and then the journal.
 * Returns those that are still there.
 */
export async function sweepScratch(ports: SweepPorts): Promise<string[]> {
  const { host, folder, signal } = ports;
  const journals = await readJournals(host, folder);
  if (journals.length === 0) return [];
  const left: string[] = [];
  await using cluster = await ports.connect(signal);
  for (const journal of journals) {
    const isHere = journal.cluster === cluster.clusterId;
    const still = isHere ? await deleteAll(journal, { host, cluster, signal }) : targetsOf(journal);
    left.push(...still);
    if (still.length === 0) await host.disk.removeFile(join(restoresFolder(folder), `${journal.id}.json`));
  }
  return left;
}

async function deleteAll(
  { topics }: Journal,
  { host, cluster, signal }: { host: Host; cluster: Cluster; signal: AbortSignal },
): Promise<string[]> {
  const ports = { cluster, clock: host.clock, signal };
  const left: string[] = [];
  for (const { target, topicId } of topics) {
    if (!target.startsWith(prefix)) continue;
    try {
      const found = await lookAt(ports, target);
      // One that was killed between making it and noting its id: the name is drawn by lot, so it is its own.
      const isOurs = found !== undefined && (topicId === null || topicId === found.topicId);
      if (isOurs) await deleteTopic(ports, { topic: target, topicId: found.topicId });
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      left.push(target);
    }
  }
  return left;
}

export function targetsOf({ topics }: Journal): string[] {
  return topics.map(({ target }) => target).filter((target) => target.startsWith(prefix));
}
