import manifest from '../../package.json' with { type: 'json' };
import { localFolderOf, type Config } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import { steadyMs, type Host } from '../host/host.ts';
import type { RepackReport, RepackRequest } from '../snapshot/snapshot.ts';
import type { TargetEvent } from '../target/target.ts';
import type { TargetGate } from './gate.ts';
import { snapshotSettings } from './snapshots.ts';

/** What comes between is told once more a second later. */
const tellEveryMs = 1000;

export function repackRequest(
  config: Config,
  o: Pick<RepackRequest, 'installation' | 'apply'>,
): RepackRequest {
  return { localFolder: localFolderOf(config), tool: `varve ${manifest.version}`, ...o };
}

/** Behind whatever the daemon does at the target now, and before what comes due meanwhile. */
export async function repackInTurn(o: {
  config: Config;
  /** The repository that was looked at for the plan. */
  planned: unknown;
  installation: string;
  host: Host;
  gate: TargetGate;
  onEvent: (event: TargetEvent) => void;
  begun: () => void;
  signal: AbortSignal;
}): Promise<RepackReport> {
  const { config, planned, installation, host, gate, begun, signal } = o;
  const own = config.repository.dir;
  if (planned !== own) {
    throw new VarveError(
      'refused',
      `the daemon that holds the local folder works with the repository ${own}, the plan was made for ${String(planned)}`,
      { hint: 'run it with the configuration of the daemon, or stop the daemon first' },
    );
  }
  let toldMs = -Infinity;
  const order = {
    order: 'repack',
    settings: snapshotSettings(config),
    params: repackRequest(config, { installation, apply: true }),
    onEvent(event: TargetEvent) {
      const nowMs = steadyMs(host.clock);
      if (nowMs - toldMs < tellEveryMs) return;
      toldMs = nowMs;
      o.onEvent(event);
    },
    signal,
  } as const;
  return await gate.run(order, begun);
}
