import { localFolderOf, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import { LocalFolder } from '../local/local.ts';
import type { Sink } from '../sink/sink.ts';
import type { Cycles } from './cycles.ts';
import type { Drills } from './drills.ts';
import type { TargetGate } from './gate.ts';
import { serveOrder, type Holder, type Repack } from './orders.ts';
import type { Picture } from './picture.ts';
import type { Ahead } from './waiting.ts';

/** What there is of a daemon already: the socket answers from the first moment on. */
export interface Running {
  readonly holder: Holder;
  /** Resolves once there is all that ever will be. */
  readonly started: Promise<void>;
  readonly gate: TargetGate;
  sink?: Sink;
  cycles?: Cycles;
  drills?: Drills | undefined;
  picture?: Picture;
  repack?: Repack;
}

/** Holds the local folder, and takes orders through its socket. */
export async function openLocal(
  { config, host, signal }: { config: Config; host: Host; signal: AbortSignal },
  running: Readonly<Running>,
): Promise<LocalFolder> {
  const startedAt = new Date(host.clock.nowMs()).toISOString();
  return await LocalFolder.open(host, localFolderOf(config), {
    instance: config.instance,
    serve: async (request, reply) =>
      serveOrder(request, reply, {
        holder: running.holder,
        started: running.started,
        startedAt,
        clock: host.clock,
        signal,
        sink: () => running.sink,
        snapshot: () => {
          const { cycles } = running;
          return cycles && (async (accept, begun) => cycles.request(accept, begun));
        },
        repack: () => running.repack,
        ahead: () => aheadOf(running),
        facts: () => {
          const { cycles } = running;
          return cycles === undefined
            ? {}
            : { cycle: { running: cycles.running ?? null, nextMs: cycles.nextMs ?? null } };
        },
      }),
  });
}

/** One of them at a time: neither a drill nor a look at the repository begins beside a cycle. */
function aheadOf({ cycles, drills, gate }: Readonly<Running>): Ahead | undefined {
  const drillSinceMs = drills?.facts.runningSinceMs;
  if (drillSinceMs !== undefined) return { for: 'drill', sinceMs: drillSinceMs };
  if (cycles?.running !== undefined) return { for: 'cycle', sinceMs: cycles.running.sinceMs };
  return gate.state.kind === 'idle' ? undefined : { for: 'look', sinceMs: gate.state.sinceMs };
}
