import { createInterface } from 'node:readline';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { VarveError } from '../errors.ts';
import { codeOf, pause, type Host } from '../host/host.ts';

/**
 * One process per local folder. The holder listens on a Unix socket in it, so a killed holder lets go at once; the
 * same socket takes its orders.
 *
 * A new holder binds a socket under a name of its own and links it to the common name. What stands there already and
 * answers is a holder. What does not answer is replaced by who first claims that very inode, and looks again with the
 * claim in hand: nobody else may touch it then, so of several starters on a dead socket exactly one wins.
 */
const socketName = 'varve.sock';

export interface FolderLock extends AsyncDisposable {
  /** Throws where somebody else has taken the folder meanwhile: the work must stop then. */
  assertHeld(): Promise<void>;
}

/** Serves one line of JSON with another, or with several: each is sent as a line. */
export type Serve = (request: unknown, reply: (line: unknown) => void) => Promise<void>;

export async function lockFolder(host: Host, folder: string, serve: Serve): Promise<FolderLock> {
  const { disk, random } = host;
  const sockets = await host.openSocketFolder(folder);
  const own = `.${socketName}.${random.bytes(6).toString('hex')}`;
  const connections = new Set<Socket>();
  const server = await sockets.listen(own, (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    serveConnection(connection, serve);
  });
  const close = async (): Promise<void> => {
    for (const connection of connections) connection.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await sockets[Symbol.asyncDispose]();
  };
  const common = join(folder, socketName);
  try {
    await linkInPlace(host, folder, own);
    await removeIfThere(host, join(folder, own));
  } catch (error) {
    await close();
    throw error;
  }
  const held = await disk.stat(common);
  const isHeld = async (): Promise<boolean> => {
    const now = await disk.stat(common);
    return held !== undefined && now?.inode === held.inode && now.device === held.device;
  };
  return {
    async assertHeld() {
      if (await isHeld()) return;
      throw new VarveError('locked', `local folder ${folder}: another process has taken it over`, {
        hint: 'stop one of the two: a local folder belongs to one process at a time',
      });
    },
    async [Symbol.asyncDispose]() {
      try {
        if (await isHeld()) await disk.removeFile(common);
      } catch {
        // What stays is a socket that nobody answers on: whoever comes next replaces it.
      }
      await close();
    },
  };
}

const attemptsMax = 100;
const attemptPauseMs = 20;

async function linkInPlace(host: Host, folder: string, own: string): Promise<void> {
  const common = join(folder, socketName);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    try {
      await host.disk.link(join(folder, own), common);
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    await refuseIfAlive(host, folder, socketName);
    if (await replaceDead(host, folder, own)) return;
    await pause(host.clock, attemptPauseMs);
  }
  throw new VarveError('locked', `local folder ${folder}: several processes are after it at once`, {
    hint: 'start one process on a local folder',
    retryable: true,
  });
}

/** False where another process was faster, or may be. */
async function replaceDead(host: Host, folder: string, own: string): Promise<boolean> {
  const { disk } = host;
  const common = join(folder, socketName);
  const dead = await disk.stat(common);
  if (dead === undefined) return false;
  const claim = `.${socketName}.claim.${dead.inode}`;
  try {
    await disk.link(join(folder, own), join(folder, claim));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    // The claim of a process that was killed with it in hand.
    const claimant = await askHolder(host, folder, { command: 'who' }, { name: claim, waitMs: answerWaitMs });
    if (claimant === undefined) await removeIfThere(host, join(folder, claim));
    return false;
  }
  try {
    if ((await disk.stat(common))?.inode !== dead.inode) return false;
    await refuseIfAlive(host, folder, socketName);
    await disk.rename(join(folder, own), common);
    return true;
  } finally {
    await removeIfThere(host, join(folder, claim));
  }
}

async function removeIfThere(host: Host, path: string): Promise<void> {
  try {
    await host.disk.removeFile(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

const answerWaitMs = 2000;

async function refuseIfAlive(host: Host, folder: string, name: string): Promise<void> {
  const answer = await askHolder(host, folder, { command: 'who' }, { name, waitMs: answerWaitMs });
  if (answer === undefined) return;
  const who = describeHolder(answer.at(-1));
  throw new VarveError('locked', `local folder ${folder} is held by another process: ${who}`, {
    hint: 'stop that process first, or give this one a local.dir of its own',
  });
}

function describeHolder(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null) return 'it listens, but did not say who it is in time';
  return Object.entries(answer)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}

/** What the holder of a folder answers, line by line; undefined where nobody holds it. */
export async function askHolder(
  host: Host,
  folder: string,
  request: unknown,
  options: { name?: string; waitMs?: number; onLine?: (line: unknown) => void; signal?: AbortSignal } = {},
): Promise<unknown[] | undefined> {
  if ((await host.disk.stat(folder)) === undefined) return undefined;
  await using sockets = await host.openSocketFolder(folder);
  let socket: Socket;
  try {
    socket = await sockets.connect(options.name ?? socketName);
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
  const lines = createInterface({ input: socket });
  // Destroyed, by us or by an error, a socket has no end that would end the lines.
  socket.once('close', () => lines.close());
  const stop = (): void => {
    socket.destroy();
  };
  const timer = options.waitMs === undefined ? undefined : host.clock.after(options.waitMs, stop);
  options.signal?.addEventListener('abort', stop, { once: true });
  const answers: unknown[] = [];
  try {
    socket.on('error', () => undefined); // seen as the end of the lines
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of lines) {
      const answer: unknown = JSON.parse(line);
      answers.push(answer);
      options.onLine?.(answer);
    }
    return answers;
  } finally {
    timer?.cancel();
    options.signal?.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** One order per connection. */
function serveConnection(connection: Socket, serve: Serve): void {
  connection.on('error', () => undefined); // a caller that went away needs no answer
  const lines = createInterface({ input: connection });
  lines.once('line', (line) => {
    serveLine(line, serve, connection)
      .catch((error: unknown) => send(connection, { error: { code: 'failed', message: String(error) } }))
      .finally(() => connection.end());
  });
}

async function serveLine(line: string, serve: Serve, connection: Socket): Promise<void> {
  const request: unknown = JSON.parse(line);
  await serve(request, (answer) => send(connection, answer));
}

function send(connection: Socket, answer: unknown): void {
  if (connection.writable) connection.write(`${JSON.stringify(answer)}\n`);
}
