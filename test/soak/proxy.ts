import { once } from 'node:events';
import net from 'node:net';

/** Stands between a client and a broker, both on this machine, and passes everything on until it is told to cut. */
export class Proxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #cutsDue = 0;
  #wholeBytes = 0;
  cuts = 0;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async between(front: string, broker: string): Promise<Proxy> {
    const proxy: Proxy = new Proxy(net.createServer((client) => proxy.#serve(client, portOf(broker))));
    proxy.#server.listen({ host: '127.0.0.1', port: portOf(front) });
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Of the next answers that are longer than this, the first half is passed on, then the connection is gone. */
  cutAnswers(count: number, longerThanBytes: number): void {
    this.#cutsDue = count;
    this.#wholeBytes = longerThanBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #serve(client: net.Socket, brokerPort: number): void {
    const broker = net.connect({ host: '127.0.0.1', port: brokerPort });
    const end = (): void => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.on('error', end);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    client.pipe(broker);
    broker.on('data', (bytes) => {
      if (this.#cutsDue > 0 && bytes.length > this.#wholeBytes) {
        this.#cutsDue -= 1;
        this.cuts += 1;
        client.write(bytes.subarray(0, bytes.length >> 1), end);
      } else if (!client.write(bytes)) {
        broker.pause();
        client.once('drain', () => broker.resume());
      }
    });
  }
}

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}
