/** Saying that an instance's daemon is gone for good, and taking that back. */
import { VarveError } from '../errors.ts';
import {
  acquireLock,
  assertInstance,
  readMarks,
  Repository,
  secretOf,
  writeMark,
} from '../repository/repository.ts';
import { openCatalog } from '../snapshot/snapshot.ts';
import type { OrderContext } from './context.ts';

export interface RetireRequest {
  readonly name: string;
  readonly retired: boolean;
  readonly installation: string;
  /** Without it, it is looked only. */
  readonly apply: boolean;
}

export interface RetireResult {
  readonly name: string;
  readonly snapshots: number;
  readonly newest: string;
  readonly takenMs: number;
  /** The one that published it. */
  readonly installation: string;
  readonly changed: boolean;
}

export async function retire(context: OrderContext, request: RetireRequest): Promise<RetireResult> {
  const { host, settings, stretch } = context;
  const folder = settings.repository.dir ?? '';
  const { name, retired } = request;
  const place = { folder, instance: name };
  await assertInstance(host.disk, place);
  const repository = await Repository.open(host, place, secretOf(settings.repository), { stretch });
  // Refused while another installation is in the middle of something.
  await using lock = request.apply ? await acquireLock(host, place, request) : undefined;
  const { opened } = await openCatalog(host.disk, repository);
  const newest = opened.at(-1)?.manifest;
  if (newest === undefined) {
    throw new VarveError('nothing-selected', `instance ${name} has no snapshot: nothing counts on it`, {
      hint: 'where it never will have one, remove its folder from the repository',
    });
  }
  const { retiredAt } = await readMarks(host, repository);
  const changed = (retiredAt === newest.id) !== retired;
  if (changed && lock !== undefined) {
    await lock.assertHeld();
    const type = retired ? 'retired' : 'unretired';
    await writeMark(host, repository, { snapshot: newest.id, type, atMs: host.clock.nowMs() });
  }
  const { id, takenMs, installation } = newest;
  return { name, snapshots: opened.length, newest: id, takenMs, installation, changed };
}
