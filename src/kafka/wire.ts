import type { ConnectionOptions } from 'node:tls';
import { VarveError } from '../errors.ts';
import type { KafkaPorts } from './settings.ts';
import { Assembler, type Frame } from './assembler.ts';
import type { VersionRange } from './client.ts';
import {
  exchangeOf,
  rawExchange,
  readAnswer,
  requestBytes,
  type Answer,
  type CallOptions,
  type Exchange,
} from './exchange.ts';
import { aborted, badLength, lost, wrongAnswer } from './failures.ts';
import type { FrameMemory } from './memory.ts';
import type { Message } from './messages/message.ts';
import { openSocket, type BrokerSocket } from './socket.ts';

export interface WireOptions {
  /** As the operator knows it: `host:port`. */
  readonly broker: string;
  readonly clientId: string;
  readonly ports: Pick<KafkaPorts, 'nowMs' | 'after'>;
  readonly memory: FrameMemory;
  readonly requestTimeoutMs: number;
  readonly frameBytesMax?: number;
}

/** What the handshake found out. */
export interface TakeOver {
  readonly throttledUntilMs: number;
  readonly retireAtMs: number;
  /** What the broker speaks, by api key. */
  readonly versions: Readonly<Record<string, VersionRange>>;
}

interface HandshakeListener {
  readonly onFrame: (bytes: Buffer) => void;
  readonly onFailure: (error: Error) => void;
}

interface Pending {
  readonly name: string;
  readonly correlationId: number;
  readonly pieces: readonly Buffer[];
  readonly limitMs: number;
  readonly trustedBytes: number;
  /** Throws where the frame is malformed. */
  settle(frame: Frame): void;
  fail(error: Error): void;
  timer?: { cancel(): void };
}

const defaultFrameBytesMax = 256 * 1024 * 1024;
/** Versions and tokens are small; who is asked for them is not known yet. */
const handshakeBytesMax = 1024 * 1024;
/** An answer that comes more slowly, time limit after time limit, is none. */
const trickle = { bytesPerSecond: 1024, limitsMax: 3 };
const defaultTrustedBytes = 1024 * 1024;

/**
 * One connection to a broker: requests leave in the order in which they were asked for, none inside a throttle window,
 * and answers are taken in that same order or not at all. While the client library shakes hands, whole frames go to it.
 *
 *    handshake ──takeOver──► open ──failure, close──► dead
 *        └───────────failure, close───────────────────► dead
 *
 * A dead wire stays dead and has told everybody who waited. It never connects again by itself.
 */
export class Wire {
  readonly broker: string;
  readonly #options: WireOptions;
  readonly #assembler: Assembler;
  readonly #closed = Promise.withResolvers<void>();
  #socket: BrokerSocket | undefined;
  #state: 'handshake' | 'open' | 'dead' = 'handshake';
  #handshake: HandshakeListener | undefined;
  #failure: VarveError | undefined;
  #waiting: Pending[] = [];
  #inFlight: Pending[] = [];
  #correlationId = 0;
  /** How many were taken. */
  #answers = 0;
  #throttledUntilMs = 0;
  #versions: TakeOver['versions'] = {};
  #throttleTimer: { cancel(): void } | undefined;
  #retireAtMs = Infinity;
  #retiring = false;

  constructor(options: WireOptions) {
    this.broker = options.broker;
    this.#options = options;
    this.#assembler = new Assembler({
      memory: options.memory,
      frameBytesMax: () =>
        this.#state === 'handshake' ? handshakeBytesMax : (options.frameBytesMax ?? defaultFrameBytesMax),
      trustedBytes: () => this.#inFlight[0]?.trustedBytes ?? 0,
      onFrame: (frame) => this.#take(frame),
      onBadLength: (length) => this.close(badLength(this.broker, length)),
      onReady: () => this.#socket?.resume(),
    });
  }

  /** Whether the broker speaks this version of this message. */
  speaks({ apiKey, version }: { readonly apiKey: number; readonly version: number }): boolean {
    const range = this.#versions[String(apiKey)];
    return range !== undefined && range.minVersion <= version && version <= range.maxVersion;
  }

  get dead(): boolean {
    return this.#state === 'dead';
  }

  /** Of everything the broker ever sent. */
  get bytesArrived(): number {
    return this.#assembler.bytesArrived;
  }

  /** Why the wire died. */
  get failure(): VarveError | undefined {
    return this.#failure;
  }

  /** True once the broker is about to end the session: new requests belong on another wire. */
  get expired(): boolean {
    return this.#options.ports.nowMs() >= this.#retireAtMs;
  }

  /** Resolves when the socket is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  open(options: {
    host: string;
    port: number;
    tls: ConnectionOptions | undefined;
    onConnect: () => void;
    handshake: HandshakeListener;
  }): void {
    if (this.#state !== 'handshake' || this.#socket !== undefined)
      throw new Error('the wire was opened before');
    this.#handshake = options.handshake;
    this.#socket = openSocket({
      ...options,
      assembler: this.#assembler,
      onError: (error) => this.close(lost(this.broker, error)),
      onClose: () => {
        this.close(lost(this.broker, new Error('closed by the broker')));
        this.#closed.resolve();
      },
    });
  }

  /** Bytes of the handshake. */
  write(bytes: Buffer): void {
    if (this.#state === 'handshake') this.#socket?.write(bytes);
  }

  /** The handshake is over: from here on the wire's own requests. */
  takeOver(options: TakeOver): void {
    if (this.#state === 'dead') throw this.#failure ?? new Error('dead without a reason');
    if (this.#state !== 'handshake') throw new Error(`a wire in state ${this.#state} cannot be taken over`);
    this.#state = 'open';
    this.#handshake = undefined;
    this.#throttledUntilMs = options.throttledUntilMs;
    this.#retireAtMs = options.retireAtMs;
    this.#versions = options.versions;
  }

  /** Sends a request and holds the memory of its answer until that is released. */
  async ask<Request, Response>(
    message: Message<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Answer<Response>> {
    return this.#exchange(exchangeOf(message, request, this.broker), options);
  }

  /** As `ask`, for answers that keep no views: their memory is given back at once. */
  async call<Request, Response>(
    message: Message<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const answer = await this.ask(message, request, options);
    answer.release();
    return answer.value;
  }

  /** For a message whose bytes somebody else writes and reads; of the old kind, without tagged fields. */
  async callRaw(
    request: { name: string; apiKey: number; apiVersion: number; body: Buffer },
    options: CallOptions = {},
  ): Promise<Buffer> {
    const answer = await this.#exchange(rawExchange(request), options);
    answer.release();
    return answer.value;
  }

  /** Closes as soon as nobody waits for an answer. */
  retire(): void {
    this.#retiring = true;
    this.#closeIfDrained();
  }

  close(reason: VarveError = lost(this.broker, new Error('closed by us'))): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#failure = reason;
    this.#throttleTimer?.cancel();
    this.#assembler.close();
    if (this.#socket === undefined) this.#closed.resolve();
    else this.#socket.destroy();
    const unanswered = [...this.#inFlight, ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    for (const pending of unanswered) {
      pending.timer?.cancel();
      pending.fail(reason);
    }
    this.#handshake?.onFailure(reason);
    this.#handshake = undefined;
  }

  async #exchange<T>(exchange: Exchange<T>, options: CallOptions): Promise<Answer<T>> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state !== 'open') throw new Error(`a wire in state ${this.#state} takes no requests`);
    if (options.signal?.aborted) throw aborted(exchange.name, this.broker, options.signal);
    const { promise, resolve, reject } = Promise.withResolvers<Answer<T>>();
    const correlationId = this.#correlationId;
    this.#correlationId = (correlationId + 1) & 0x7fff_ffff;
    const onAbort = (): void => {
      if (options.signal !== undefined) reject(aborted(exchange.name, this.broker, options.signal));
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push({
      name: exchange.name,
      correlationId,
      pieces: requestBytes(exchange, { correlationId, clientId: this.#options.clientId }),
      limitMs: this.#options.requestTimeoutMs + (options.waitMs ?? 0),
      trustedBytes: options.trustedBytes ?? defaultTrustedBytes,
      settle: (frame) => {
        const { value, throttleMs } = this.#readAnswer(exchange, frame.bytes);
        if (options.signal?.aborted) frame.release();
        else resolve({ value, throttleMs, byteLength: frame.bytes.length, release: () => frame.release() });
      },
      fail: reject,
    });
    this.#pump();
    try {
      return await promise;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  #readAnswer<T>(exchange: Exchange<T>, bytes: Buffer): { value: T; throttleMs: number } {
    const { value, throttleMs } = readAnswer(exchange, bytes, this.broker);
    if (throttleMs > 0) {
      const untilMs = this.#options.ports.nowMs() + throttleMs;
      this.#throttledUntilMs = Math.max(this.#throttledUntilMs, untilMs);
    }
    return { value, throttleMs };
  }

  #pump(): void {
    if (this.#state !== 'open' || this.#throttleTimer !== undefined || this.#waiting.length === 0) return;
    const holdMs = this.#throttledUntilMs - this.#options.ports.nowMs();
    if (holdMs > 0) {
      this.#throttleTimer = this.#options.ports.after(holdMs, () => {
        this.#throttleTimer = undefined;
        this.#pump();
      });
      return;
    }
    const leaving = this.#waiting;
    this.#waiting = [];
    for (const pending of leaving) {
      this.#inFlight.push(pending);
      this.#armTimer(pending);
      this.#socket?.cork();
      for (const piece of pending.pieces) this.#socket?.write(piece);
      this.#socket?.uncork();
    }
  }

  /** Time runs only while nothing arrives, and not while it is us who do not read; a trickle has a few times as long. */
  #armTimer(pending: Pending, limits = 1): void {
    const { name, limitMs } = pending;
    const before = { bytes: this.#assembler.bytesArrived, answers: this.#answers };
    pending.timer = this.#options.ports.after(limitMs, () => {
      const bytes = this.#assembler.bytesArrived - before.bytes;
      const isFlowing = bytes * 1000 >= trickle.bytesPerSecond * limitMs || this.#answers !== before.answers;
      if (!this.#assembler.ready || isFlowing) this.#armTimer(pending);
      else if (bytes > 0 && limits < trickle.limitsMax) this.#armTimer(pending, limits + 1);
      else {
        const got = bytes === 0 ? '' : `, only ${bytes} bytes in the last of ${limits} times that long`;
        this.close(lost(this.broker, new Error(`no answer to ${name} within ${limitMs} ms${got}`)));
      }
    });
  }

  #take(frame: Frame): void {
    if (this.#state === 'handshake') {
      const bytes = Buffer.concat([lengthOf(frame.bytes), frame.bytes]);
      frame.release();
      this.#handshake?.onFrame(bytes);
      return;
    }
    const pending = this.#inFlight.shift();
    const correlationId = frame.bytes.readInt32BE(0);
    if (pending === undefined || pending.correlationId !== correlationId) {
      frame.release();
      if (pending !== undefined) this.#inFlight.unshift(pending);
      const expected = pending === undefined ? 'none' : `number ${pending.correlationId} (${pending.name})`;
      this.close(wrongAnswer(this.broker, { expected, number: correlationId }));
      return;
    }
    pending.timer?.cancel();
    this.#answers += 1;
    try {
      pending.settle(frame);
    } catch (error) {
      frame.release();
      this.#inFlight.unshift(pending);
      this.close(error instanceof VarveError ? error : lost(this.broker, error));
      return;
    }
    this.#closeIfDrained();
    this.#pump();
  }

  #closeIfDrained(): void {
    if (this.#retiring && this.#inFlight.length === 0 && this.#waiting.length === 0) this.close();
  }
}

function lengthOf(bytes: Buffer): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(bytes.length, 0);
  return prefix;
}
