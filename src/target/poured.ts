import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { pouredFds } from './messages.ts';

const memoryBytes = 256 * 1024;

/**
 * Reads what a child pours out, each pipe always into the same memory: chunks that are allocated and dropped one by one
 * cost more than what is in them. A chunk stays as it is until the callback returns.
 */
export function readPoured(
  child: ChildProcess,
  onChunk: (chunk: Buffer, pipe: number) => void,
): Pick<Socket, 'destroy'>[] {
  const streams: readonly unknown[] = child.stdio;
  return pouredFds.map((fd, pipe) => readPipe(streams[fd], (chunk) => onChunk(chunk, pipe)));
}

function readPipe(stream: unknown, onChunk: (chunk: Buffer) => void): Socket {
  if (!(stream instanceof Socket)) throw new Error('the child has no pipe to pour into');
  const handle: unknown = Reflect.get(stream, '_handle');
  if (handle === null || handle === undefined) return stream.on('data', onChunk);
  const options = {
    handle,
    onread: {
      buffer: Buffer.allocUnsafeSlow(memoryBytes),
      callback(count: number, memory: Uint8Array): boolean {
        onChunk(Buffer.from(memory.buffer, memory.byteOffset, count));
        return true;
      },
    },
  };
  // The constructor takes a handle, and its types leave that out.
  const reader: unknown = Reflect.construct(Socket, [options]);
  if (!(reader instanceof Socket)) throw new Error('a socket that is none');
  reader.on('error', () => undefined); // that the child is gone is told by its end
  return reader.resume();
}
