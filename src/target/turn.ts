import { once } from 'node:events';
import { createServer } from 'node:net';
import { pause, steadyMs, type Clock } from '../host/host.ts';

const againAfterMs = 100;

/**
 * Waits until no other process of this pod or machine has the turn of that name, for so long at most: it is about
 * sparing memory, not about being right. The turn ends when it is given back, or with the process, however that ends.
 */
export async function takeTurn(
  name: string,
  { clock, waitMaxMs }: { clock: Clock; waitMaxMs: number },
): Promise<() => void> {
  const untilMs = steadyMs(clock) + waitMaxMs;
  for (;;) {
    const end = await listen(name);
    if (end !== undefined) return end;
    if (steadyMs(clock) >= untilMs) return () => undefined;
    await pause(clock, againAfterMs);
  }
}

/** In the abstract namespace of Linux a name is a socket's, no file, and gone with it. Undefined where it is taken. */
async function listen(name: string): Promise<(() => void) | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ path: `\0${name}`, exclusive: true });
    await once(server, 'listening');
    server.unref();
    return () => void server.close();
  } catch {
    return undefined;
  }
}
