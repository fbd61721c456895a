import { join } from 'node:path';
import { ensureFolder, replaceFile, type Disk, type Random } from '../host/host.ts';
import { incarnationFolder, isTopicId, isTopicName, parsePartitionName, topicsFolder } from './layout.ts';

/** One life of a topic: deleted and created again, it has another id and its own files. */
export interface Incarnation {
  readonly topic: string;
  readonly topicId: string;
  /** RFC 3339; absent where nobody noted it. */
  readonly firstSeen: string | undefined;
  readonly partitions: readonly number[];
}

const noteName = 'incarnation.json';

export async function noteIncarnation(
  ports: { disk: Disk; random: Random },
  localFolder: string,
  note: { topic: string; topicId: string; firstSeen: string },
): Promise<void> {
  const folder = incarnationFolder(localFolder, note);
  const path = join(folder, noteName);
  if ((await ports.disk.stat(path)) !== undefined) return;
  await ensureFolder(ports.disk, folder);
  await replaceFile(ports, path, Buffer.from(`${JSON.stringify(note)}\n`));
}

/** All incarnations, by topic, the newest last. */
export async function listIncarnations(disk: Disk, localFolder: string): Promise<Incarnation[]> {
  const found: Incarnation[] = [];
  for (const topic of (await disk.list(topicsFolder(localFolder))) ?? []) {
    if (topic.kind === 'folder' && isTopicName(topic.name)) {
      found.push(...(await incarnationsOf(disk, localFolder, topic.name)));
    }
  }
  return found.toSorted((a, b) => compareText(a.topic, b.topic) || byFirstSeen(a, b));
}

/** The incarnations of one topic, the newest last. */
export async function incarnationsOf(disk: Disk, localFolder: string, topic: string): Promise<Incarnation[]> {
  const found: Incarnation[] = [];
  for (const id of (await disk.list(join(topicsFolder(localFolder), topic))) ?? []) {
    if (id.kind !== 'folder' || !isTopicId(id.name)) continue;
    const key = { topic, topicId: id.name };
    const folder = incarnationFolder(localFolder, key);
    const partitions = ((await disk.list(folder)) ?? [])
      .filter((entry) => entry.kind === 'folder')
      .flatMap((entry) => parsePartitionName(entry.name) ?? [])
      .toSorted((a, b) => a - b);
    found.push({ ...key, firstSeen: await readFirstSeen(disk, folder), partitions });
  }
  return found.toSorted(byFirstSeen);
}

async function readFirstSeen(disk: Disk, folder: string): Promise<string | undefined> {
  const bytes = await disk.readFile(join(folder, noteName));
  if (bytes === undefined) return undefined;
  try {
    const note: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof note !== 'object' || note === null || !('firstSeen' in note)) return undefined;
    return typeof note.firstSeen === 'string' ? note.firstSeen : undefined;
  } catch {
    return undefined; // it orders incarnations and nothing else: without it this one counts as the oldest
  }
}

/** All are written by one function, in UTC with milliseconds, so that their text sorts as the times do. */
function byFirstSeen(a: Incarnation, b: Incarnation): number {
  return compareText(a.firstSeen ?? '', b.firstSeen ?? '');
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
