/**
 * Asks a broker which brokers it knows, over a bare socket: a broker that answers Metadata v1 is ready for clients.
 *
 *   request   length i32 · api key i16 = 3 · version i16 = 1 · correlation i32 · client id nullable string · topics i32 = 0
 *   response  length i32 · correlation i32 · brokers [node id i32 · host string · port i32 · rack nullable string] · ...
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';

const answerBytesMax = 1 << 20;

export async function knownBrokers(port: number, signal: AbortSignal): Promise<number[]> {
  const request = Buffer.alloc(18);
  request.writeInt32BE(14, 0);
  request.writeInt16BE(3, 4);
  request.writeInt16BE(1, 6);
  request.writeInt32BE(1, 8);
  request.writeInt16BE(-1, 12);
  request.writeInt32BE(0, 14);
  const socket = connect({ host: '127.0.0.1', port });
  const abort = (): void => void socket.destroy(new Error('no answer in time'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await once(socket, 'connect');
    socket.write(request);
    return readBrokers(await readAnswer(socket));
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

async function readAnswer(socket: Readable): Promise<Buffer> {
  let received = Buffer.alloc(0);
  // The socket yields Buffers, since no encoding is set.
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    if (received.length < 4) continue;
    const length = received.readInt32BE(0);
    if (length > answerBytesMax) throw new Error(`an answer of ${length} bytes`);
    if (received.length >= 4 + length) return received.subarray(4, 4 + length);
  }
  throw new Error('the connection was closed without an answer');
}

function readBrokers(answer: Buffer): number[] {
  const brokers: number[] = [];
  let at = 8;
  for (let left = answer.readInt32BE(4); left > 0; left--) {
    brokers.push(answer.readInt32BE(at));
    at += 4;
    at += 2 + answer.readInt16BE(at);
    at += 4;
    at += 2 + Math.max(0, answer.readInt16BE(at));
  }
  return brokers;
}
