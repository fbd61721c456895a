import { open } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** A Unix socket in a folder, reached by a short path whatever the length of the folder's own. */
export interface SocketFolder extends AsyncDisposable {
  /** Binds a new socket under a name that does not exist yet. */
  listen(name: string, serve: (connection: Socket) => void): Promise<Server>;
  /** Connects to the socket of that name, or fails with the operating system's error. */
  connect(name: string): Promise<Socket>;
}

/** The kernel keeps a socket's path in 108 bytes, one of them the end mark. */
const socketPathBytesMax = 107;

export async function openSocketFolder(folder: string): Promise<SocketFolder> {
  const handle = await open(folder, 'r');
  const pathOf = (name: string): string => {
    const path = join(folder, name);
    return Buffer.byteLength(path) <= socketPathBytesMax ? path : `/proc/self/fd/${handle.fd}/${name}`;
  };
  return {
    async listen(name, serve) {
      const server = createServer(serve);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(pathOf(name), resolve);
      });
      return server;
    },
    async connect(name) {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = connect(pathOf(name));
        socket.once('error', reject);
        socket.once('connect', () => {
          socket.off('error', reject);
          resolve(socket);
        });
      });
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
    },
  };
}
