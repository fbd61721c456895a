import { localFolderOf, type Config } from '../config/config.ts';
import type { Host } from '../host/host.ts';
import { LocalFolder } from '../local/local.ts';
import type { Sink } from '../sink/sink.ts';
import type { Cycles } from './cycles.ts';
import type { Drills } from './drills.ts';
import { serveOrder, type Repack } from './orders.ts';
import type { Picture } from './picture.ts';

/** What there is of a daemon already: the socket answers from the first moment on. */
export interface Running {
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
        startedAt,
        signal,
        sink: () => running.sink,
        snapshot: () => {
          const { cycles } = running;
          return cycles && (async (accept) => cycles.request(accept));
        },
        repack: () => running.repack,
        facts: () => {
          const { cycles } = running;
          return cycles === undefined
            ? {}
            : { cycle: { running: cycles.running ?? null, nextMs: cycles.nextMs ?? null } };
        },
      }),
  });
}
