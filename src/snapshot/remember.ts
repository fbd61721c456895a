/** What of a cycle is noted beside the local files, for the next one and for whoever asks how it went. */
import { firstError, VarveError, type ErrorCode } from '../errors.ts';
import { codeOf, isDiskFull } from '../host/host.ts';
import { readMemory, writeMemory, type Memory, type OpenedManifest } from '../repository/repository.ts';
import { latestNow, type Hold } from '../schedule/schedule.ts';
import { keepsForever } from './carry.ts';
import type { Ground } from './ground.ts';
import type { RotatePlan } from './rotate.ts';

export type Given = Pick<Ground, 'settings' | 'request' | 'ports' | 'beganMs'>;

/** What of a cycle is to be remembered, as far as it came. */
export interface Course {
  ground?: Ground;
  published?: OpenedManifest;
  held?: Hold[];
}

/** Why nothing expired, and why no data did. */
export function standingHolds({ leap, settings }: Ground, { plan }: RotatePlan): Hold[] {
  return leap === undefined || keepsForever(settings.archive) ? [...plan.holds] : [...plan.holds, leap];
}

/** Notes in the local memory how it went. */
export async function remember(
  { settings, request, ports, beganMs }: Given,
  { ground, published, held }: Course,
  attempt: NonNullable<Memory['lastAttempt']>,
): Promise<void> {
  const { host } = ports;
  const known = await readMemory(host, request.localFolder);
  const repository = ground?.repository.identity.repository ?? known?.repository ?? '';
  const nowMs = host.clock.nowMs();
  const isRight = published !== undefined && request.accept.clock;
  const success =
    published === undefined ? known?.lastSuccess : { atMs: beganMs, id: published.manifest.id, held };
  await writeMemory(host, request.localFolder, {
    // One that was refused is not adopted.
    repository: published === undefined ? (known?.repository ?? '') : repository,
    instance: settings.instance,
    newest: published === undefined ? (known?.newest ?? null) : newestOf(published),
    latestNowMs: isRight ? nowMs : latestNow(nowMs, known?.latestNowMs),
    sinceMs: isRight ? Math.min(known?.sinceMs ?? beganMs, beganMs) : (known?.sinceMs ?? beganMs),
    lastAttempt: attempt,
    lastSuccess: success ?? null,
  });
}

function newestOf({ manifest, digest }: OpenedManifest): NonNullable<Memory['newest']> {
  return { id: manifest.id, seq: manifest.seq, digest };
}

/** What the operating system refuses is told by the parent as the target's, and is to be noted as that, too. */
export function codeToNote(thrown: unknown): ErrorCode {
  const error = firstError(thrown);
  if (error instanceof VarveError) return error.code;
  if (isDiskFull(error)) return 'no-space';
  return codeOf(error) === undefined ? 'failed' : 'target-unusable';
}
