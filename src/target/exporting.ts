/** The order that copies a snapshot out of its repository. */
import { assertInstance, openManifest, Repository, secretOf } from '../repository/repository.ts';
import { exportSnapshot as copySnapshot, overviewOf, type ExportReport } from '../snapshot/snapshot.ts';
import type { OrderContext } from './context.ts';
import { chosen, opener, type SnapshotChoice } from './looking.ts';

export async function exportSnapshot(
  context: OrderContext,
  o: { choice: SnapshotChoice; folder: string },
): Promise<ExportReport> {
  const { host, settings, emit, signal, stretch } = context;
  const { instance } = settings;
  await assertInstance(host.disk, { folder: settings.repository.dir ?? '', instance });
  const open = opener(context);
  const found = await overviewOf(host, settings, { instance, memory: undefined, open });
  const row = chosen(found, o.choice);
  const repository = await open(instance);
  const opened = await openManifest(host.disk, repository, row.id, { seqGuess: row.seq });
  return await copySnapshot(
    { host, emit, signal },
    {
      repository,
      opened,
      folder: o.folder,
      reopen: async (place) => Repository.open(host, place, secretOf(settings.repository), { stretch }),
    },
  );
}
