/** A process that wants the lock of an instance: `node lock-process.ts <repository> <installation>`; it goes when told. */
import { VarveError } from '../../src/errors.ts';
import { systemHost } from '../../src/host/host.ts';
import { acquireLock, type RepositoryLock } from '../../src/repository/repository.ts';

const [, , folder = '', installation = ''] = process.argv;
let lock: RepositoryLock | undefined;

async function answer(order: unknown): Promise<string> {
  try {
    if (order === 'acquire')
      lock = await acquireLock(systemHost, { folder, instance: 'main' }, { installation });
    else await lock?.assertHeld();
    return lock === undefined ? 'without' : 'held';
  } catch (error) {
    return error instanceof VarveError ? error.code : String(error);
  }
}

process.on('message', (order) => {
  void answer(order).then((text) => process.send?.(text));
});
process.send?.('ready');
