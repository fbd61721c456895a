/** The child process: takes one order, carries it out, tells its parent, and ends. It ends with its parent, too. */
import { once } from 'node:events';
import { Socket } from 'node:net';
import { boundYoungGeneration, killThisProcess, systemHost } from '../host/host.ts';
import { pause } from '../host/host.ts';
import { orUnmounted, withOwners } from '../repository/repository.ts';
import type { OrderContext } from './context.ts';
import { pouredFds, type FromChild, type ToChild } from './messages.ts';
import { findOrder } from './orders.ts';
import { stretchInChild } from './stretch.ts';
import { tell } from './told.ts';
import { WatchedDisk } from './watched-disk.ts';

const aliveEveryMs = 1000;
/** Items on their way to the parent. */
const itemsAheadMax = 4;

boundYoungGeneration();
const watched = new WatchedDisk(systemHost.disk, systemHost.clock);
const aborting = new AbortController();
const ended = new AbortController();
const items = { ahead: 0, onTaken: (): void => undefined };
const told = { early: new Array<unknown>(), onTold: (early: unknown): void => void told.early.push(early) };

process.on('disconnect', killThisProcess);
// The terminal's signals reach the whole group; it is the parent that decides.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);
process.on('message', (message: ToChild) => {
  if (message.kind === 'order') void obey(message);
  else if (message.kind === 'load') findOrder(message.order).catch(() => undefined); // told once it is asked for
  else if (message.kind === 'abort') aborting.abort();
  else if (message.kind === 'tell') told.onTold(message.told);
  else {
    items.ahead -= 1;
    items.onTaken();
  }
});

async function obey({ order, params, settings }: ToChild & { kind: 'order' }): Promise<void> {
  const context: OrderContext = {
    host: { ...systemHost, disk: watched.disk },
    settings,
    emit: (event) => send({ kind: 'event', event }),
    give,
    pour,
    listen(onTold) {
      for (const early of told.early.splice(0)) onTold(early);
      told.onTold = onTold;
    },
    signal: aborting.signal,
    stretch: stretchInChild,
  };
  const beating = beat();
  try {
    const run = await findOrder(order);
    const result = await run(context, params);
    send({ kind: 'done', result });
  } catch (error) {
    const folders = { folder: settings.repository.dir ?? '', localFolder: settings.localFolder };
    const known = await orUnmounted(error, context.host, folders);
    send({ kind: 'failed', error: tell(await withOwners(known, watched.disk)) });
  }
  ended.abort();
  await beating;
}

async function beat(): Promise<void> {
  while (!ended.signal.aborted) {
    send({ kind: 'alive', ...watched.oldest });
    await pause(systemHost.clock, aliveEveryMs, ended.signal);
  }
}

async function give(item: unknown): Promise<void> {
  items.ahead += 1;
  send({ kind: 'item', item });
  while (items.ahead >= itemsAheadMax) {
    await new Promise<void>((resolve) => {
      items.onTaken = resolve;
    });
  }
}

/** Each opened by the first that pours into it. */
const pipes: (Socket | undefined)[] = [];

async function pour(pieces: readonly Buffer[], pipe: number): Promise<void> {
  const stream = (pipes[pipe] ??= new Socket({ fd: pouredFds[pipe] ?? pouredFds[0], readable: false }));
  stream.cork();
  let hasRoom = true;
  for (const piece of pieces) hasRoom = stream.write(piece);
  stream.uncork();
  if (!hasRoom) await once(stream, 'drain');
}

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}
