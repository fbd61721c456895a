import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import type {
  FetchPartition,
  FetchRequest,
  KafkaPorts,
  KafkaSettings,
  TopicMetadata,
} from '../../src/kafka/kafka.ts';
import { VarveError } from '../../src/errors.ts';

export const realPorts: KafkaPorts = {
  nowMs: () => Date.now(),
  readFile: async (path) => readFile(path),
  after(delayMs, run) {
    const timeout = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Time that moves when the test says so. */
export class ManualClock {
  #nowMs = 1_000_000;
  #timers: { atMs: number; run: () => void }[] = [];

  nowMs = (): number => this.#nowMs;

  after = (delayMs: number, run: () => void): { cancel(): void } => {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  };

  get timers(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#nowMs);
    for (const timer of due) timer.run();
  }
}

export function settings(brokers: string, more: Partial<KafkaSettings> = {}): KafkaSettings {
  return { brokers: brokers.split(','), clientId: 'varve-test', ...more };
}

/** What an operation failed with; a failure of another kind, or none, fails the test. */
export async function failureOf(operation: Promise<unknown>): Promise<VarveError> {
  const end = await operation.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in end && end.error instanceof VarveError) return end.error;
  throw new Error(`expected a VarveError, got ${'error' in end ? String(end.error) : 'success'}`, {
    cause: end,
  });
}

export function topicNamed(topics: readonly TopicMetadata[], name: string): TopicMetadata {
  const topic = topics.find((candidate) => candidate.name === name);
  if (topic === undefined) throw new Error(`there is no topic ${name}`);
  return topic;
}

export function asking(
  partitions: readonly FetchPartition[],
  more: Partial<FetchRequest> = {},
): FetchRequest {
  return { maxWaitMs: 100, minBytes: 1, maxBytes: 1024 * 1024, partitions, ...more };
}

export function from(topicId: string, offset: bigint, more: Partial<FetchPartition> = {}): FetchPartition {
  return { topicId, partition: 0, leaderEpoch: -1, offset, lastEpoch: -1, maxBytes: 1024 * 1024, ...more };
}

/** Tries again what the broker says will pass, such as a coordinator that is not there yet. */
export async function eventually<T>(operation: () => Promise<T>): Promise<T> {
  const untilMs = Date.now() + 120_000;
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof VarveError) || !error.retryable || Date.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A peer that answers as the test says, on a free loopback port. */
export class Peer implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly received: Buffer[] = [];
  connections = 0;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** `answer` gets each whole request (without its length) and the socket to answer on. */
  static async start(answer: (request: Buffer, socket: net.Socket) => void): Promise<Peer> {
    const server = net.createServer();
    const peer = new Peer(server);
    server.on('connection', (socket) => {
      peer.connections += 1;
      peer.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => peer.#sockets.delete(socket));
      let pending = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
          const end = 4 + pending.readInt32BE(0);
          const request = pending.subarray(4, end);
          pending = pending.subarray(end);
          peer.received.push(request);
          answer(request, socket);
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return peer;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the peer does not listen');
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A frame: the length, then what is given in hex and bytes. */
export function frame(...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? hex(part) : part)));
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Spaces and line ends are for the reader. */
export function hex(text: string): Buffer {
  const digits = text.replaceAll(/\s/g, '');
  const bytes = Buffer.from(digits, 'hex');
  if (bytes.length * 2 !== digits.length) throw new Error(`not hex: ${text}`);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Of a request: the API it is for and the number its answer must carry. */
export function headerOf(request: Buffer): { apiKey: number; version: number; correlationId: number } {
  return {
    apiKey: request.readInt16BE(0),
    version: request.readInt16BE(2),
    correlationId: request.readInt32BE(4),
  };
}

/** An ApiVersions answer with what this program speaks, each from 0 to the given version. */
export function apiVersionsAnswer(correlationId: number, maxima: Record<number, number> = {}): Buffer {
  const spoken: Record<number, number> = {
    1: 13,
    2: 7,
    3: 12,
    8: 8,
    9: 8,
    10: 4,
    16: 4,
    17: 1,
    18: 2,
    23: 4,
    32: 4,
    36: 1,
  };
  const rows = Object.entries({ ...spoken, ...maxima });
  const body = Buffer.alloc(rows.length * 6);
  rows.forEach(([apiKey, version], index) => {
    body.writeInt16BE(Number(apiKey), index * 6);
    body.writeInt16BE(version, index * 6 + 4);
  });
  return frame(int32(correlationId), '0000', int32(rows.length), body, '00000000');
}
