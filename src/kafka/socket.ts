import net from 'node:net';
import tls from 'node:tls';
import type { Assembler } from './assembler.ts';

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: tls.ConnectionOptions | undefined;
  readonly assembler: Assembler;
  readonly onConnect: () => void;
  readonly onError: (error: Error) => void;
  readonly onClose: () => void;
}

export interface BrokerSocket {
  write(bytes: Buffer): void;
  /** What is written until `uncork` leaves together. */
  cork(): void;
  uncork(): void;
  /** Reads on after the assembler had no room. */
  resume(): void;
  destroy(): void;
}

/**
 * Opens a socket whose bytes go to the assembler. In plain text the kernel's bytes land where the assembler wants
 * them, without a copy in between; what TLS has decrypted is copied there.
 */
export function openSocket(options: SocketOptions): BrokerSocket {
  const socket = options.tls === undefined ? plainSocket(options) : tlsSocket(options, options.tls);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  socket.on('error', options.onError);
  // A broker has nothing to say once it has ended its side: without a listener the end would go unnoticed.
  socket.on('end', () => socket.destroy());
  socket.on('close', options.onClose);
  return socket;
}

const keepAliveMs = 60_000;

function plainSocket({ host, port, assembler, onConnect }: SocketOptions): net.Socket {
  const socket = net.connect({
    host,
    port,
    onread: {
      buffer: () => assembler.next(),
      callback(count, into) {
        assembler.landed(count, into);
        return assembler.ready;
      },
    },
  });
  socket.once('connect', onConnect);
  return socket;
}

function tlsSocket(options: SocketOptions, secure: tls.ConnectionOptions): net.Socket {
  const { host, port, assembler } = options;
  const serverName = net.isIP(host) === 0 ? { servername: host } : {};
  const socket = tls.connect({ host, port, ...serverName, ...secure });
  socket.once('secureConnect', options.onConnect);
  socket.on('data', (chunk: Buffer) => {
    assembler.feed(chunk);
    if (!assembler.ready) socket.pause();
  });
  return socket;
}
