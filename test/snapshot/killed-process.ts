/** A cycle, or an export of a snapshot, in a process of its own that kills itself at the step it is told to. */
import { stretchByArgon2 } from '../../src/crypto/crypto.ts';
import { killThisProcess, systemHost, type Disk } from '../../src/host/host.ts';
import { openManifest, Repository, secretOf, type RepositoryPlace } from '../../src/repository/repository.ts';
import {
  exportSnapshot,
  runCycle,
  type CycleRequest,
  type SnapshotSettings,
} from '../../src/snapshot/snapshot.ts';

export interface KilledOrder {
  readonly settings: SnapshotSettings;
  readonly killAt: number;
  readonly work: { readonly cycle: CycleRequest } | { readonly snapshot: string; readonly to: string };
}

let killAt = 0;
let steps = 0;

function onStep(): void {
  steps += 1;
  if (steps === killAt) killThisProcess();
}

/** Each call that changes something below the folder is a step. */
function counted(disk: Disk, folder: string): Disk {
  const counting = async <T>(path: string, call: () => Promise<T>): Promise<T> => {
    if (path.startsWith(folder)) onStep();
    return await call();
  };
  return {
    ...disk,
    open: async (path, mode) =>
      mode === 'create' ? counting(path, async () => disk.open(path, mode)) : disk.open(path, mode),
    makeFolder: async (path) => counting(path, async () => disk.makeFolder(path)),
    rename: async (from, to) => counting(to, async () => disk.rename(from, to)),
    removeFile: async (path) => counting(path, async () => disk.removeFile(path)),
    syncFolder: async (path) => counting(path, async () => disk.syncFolder(path)),
  };
}

async function workOn({ settings, work }: KilledOrder): Promise<unknown> {
  const ports = { emit: () => undefined, signal: new AbortController().signal };
  const stretch = stretchByArgon2;
  if ('cycle' in work)
    return await runCycle(settings, work.cycle, { ...ports, host: systemHost, stretch, onStep });
  const { snapshot, to } = work;
  const host = { ...systemHost, disk: counted(systemHost.disk, to) };
  const reopen = async (place: RepositoryPlace): Promise<Repository> =>
    Repository.open(host, place, secretOf(settings.repository), { stretch });
  const repository = await reopen({ folder: settings.repository.dir ?? '', instance: settings.instance });
  const opened = await openManifest(host.disk, repository, snapshot);
  return await exportSnapshot({ ...ports, host }, { repository, opened, folder: to, reopen });
}

process.once('message', (order: KilledOrder) => {
  ({ killAt } = order);
  workOn(order).then(
    () => process.send?.({ steps }, undefined, undefined, () => process.exit(0)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.send?.('ready');
