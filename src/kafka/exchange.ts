import type { Message } from './messages/message.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

export interface CallOptions {
  /** On top of the wire's own limit: what the broker may wait before it begins to answer. */
  readonly waitMs?: number;
  /** An answer up to this long is believed before it has arrived. */
  readonly trustedBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly value: T;
  readonly byteLength: number;
  readonly throttleMs: number;
  /** Gives the memory back that views in the value point into. */
  release(): void;
}

/** The bytes of a request without its header, and how to read the answer behind its header. */
export interface Exchange<T> {
  readonly name: string;
  readonly apiKey: number;
  readonly apiVersion: number;
  /** Flexible versions have tagged fields in both headers. */
  readonly flexible: boolean;
  readonly write: (to: Writer) => void;
  readonly read: (frame: Buffer, at: number) => { value: T; throttleMs: number };
}

/** A message as an exchange. */
export function exchangeOf<Request, Response>(
  message: Message<Request, Response>,
  request: Request,
  broker: string,
): Exchange<Response> {
  return {
    name: message.name,
    apiKey: message.apiKey,
    apiVersion: message.version,
    flexible: message.flexible ?? true,
    write: (to) => message.write(request, to),
    read: (frame, at) => {
      const from = new Reader(frame, { what: whatOf(message.name, broker), at });
      const before = message.throttle === undefined ? from.int32() : 0;
      const value = message.read(from);
      const behind = message.throttle === 'last' ? from.int32() : 0;
      if (message.throttle === 'last') from.tags();
      from.end();
      const throttleMs = before + behind;
      if (throttleMs > throttleMsMax)
        from.fail(`a throttle of at most ${throttleMsMax} ms, got ${throttleMs}`);
      return { value, throttleMs };
    },
  };
}

/** For a message whose bytes somebody else writes and reads; of the old kind, without tagged fields. */
export function rawExchange(request: {
  name: string;
  apiKey: number;
  apiVersion: number;
  body: Buffer;
}): Exchange<Buffer> {
  return {
    ...request,
    flexible: false,
    write: (to) => to.raw(request.body),
    read: (frame, at) => ({ value: Buffer.from(frame.subarray(at)), throttleMs: frame.readInt32BE(at) }),
  };
}

/** Far beyond what quotas come to; a longer one would be silence without a word. */
const throttleMsMax = 60 * 60 * 1000;
const correlationIdBytes = 4;

/** The request header: version 2 where the message is flexible, else version 1; the first four bytes are the length. */
export function requestBytes<T>(
  exchange: Exchange<T>,
  header: { correlationId: number; clientId: string },
): Buffer[] {
  const to = new Writer();
  to.int32(0).int16(exchange.apiKey).int16(exchange.apiVersion).int32(header.correlationId);
  to.headerString(header.clientId);
  if (exchange.flexible) to.noTags();
  exchange.write(to);
  const pieces = to.pieces();
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  pieces[0]?.writeInt32BE(length - 4, 0);
  return pieces;
}

/** Reads an answer whole: its header, its throttle time, and what it says. */
export function readAnswer<T>(
  exchange: Exchange<T>,
  bytes: Buffer,
  broker: string,
): { value: T; throttleMs: number } {
  const header = new Reader(bytes, { what: whatOf(exchange.name, broker), at: correlationIdBytes });
  if (exchange.flexible) header.tags();
  return exchange.read(bytes, header.at);
}

function whatOf(name: string, broker: string): string {
  return `${name} response from ${broker}`;
}
