import type { FrameMemory } from './memory.ts';

/** One whole answer. `bytes` is its contents without the length; `memory` is what was taken for it. */
export interface Frame {
  readonly bytes: Buffer;
  release(): void;
}

export interface AssemblerOptions {
  readonly memory: FrameMemory;
  readonly frameBytesMax: () => number;
  /** Up to here a length is believed; what claims to be longer gets memory as it arrives. */
  readonly trustedBytes: () => number;
  readonly onFrame: (frame: Frame) => void;
  readonly onBadLength: (length: number) => void;
  /** There was no room for a frame: nothing should be read until `onReady`. */
  readonly onReady: () => void;
}

const scratchBytes = 64 * 1024;

/**
 * Cuts a stream of bytes into frames: a length of four bytes, then as many bytes. A frame's bytes are read straight
 * into its place (`next` and `landed`), or copied there (`feed`).
 *
 *    prefix ──length known──► body ──all there──► prefix …
 *      └──no room──► waiting ──room──► body
 */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes);
  readonly #prefix = Buffer.alloc(4);
  #prefixFilled = 0;
  #body: { buffer: Buffer; length: number; filled: number } | undefined;
  #waiting: { length: number; held: Buffer[]; cancel(): void } | undefined;
  #tail: Buffer | undefined;
  #closed = false;
  #bytesArrived = 0;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** False: nothing should be read now. */
  get ready(): boolean {
    return this.#waiting === undefined;
  }

  get bytesArrived(): number {
    return this.#bytesArrived;
  }

  /** Where the next bytes read should go. */
  next(): Buffer {
    const body = this.#body;
    if (body === undefined) {
      this.#tail = undefined;
      return this.#scratch;
    }
    const end = Math.min(body.length, body.buffer.length);
    this.#tail = body.buffer.subarray(body.filled, end);
    return this.#tail;
  }

  /** Bytes were read into a buffer that `next` gave. */
  landed(count: number, into: Uint8Array): void {
    if (into === this.#tail && this.#body !== undefined) {
      this.#bytesArrived += count;
      this.#body.filled += count;
      this.#settleBody(this.#body);
    } else {
      this.feed(Buffer.from(into.buffer, into.byteOffset, count));
    }
  }

  feed(chunk: Buffer): void {
    this.#bytesArrived += chunk.length;
    let rest = chunk;
    while (rest.length > 0 && !this.#closed) {
      if (this.#waiting !== undefined) {
        this.#waiting.held.push(Buffer.from(rest));
        return;
      }
      rest = this.#body === undefined ? this.#feedPrefix(rest) : this.#feedBody(this.#body, rest);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting?.cancel();
    this.#waiting = undefined;
    if (this.#body !== undefined) this.#options.memory.give(this.#body.buffer);
    this.#body = undefined;
    this.#tail = undefined;
  }

  #feedPrefix(chunk: Buffer): Buffer {
    const count = Math.min(4 - this.#prefixFilled, chunk.length);
    chunk.copy(this.#prefix, this.#prefixFilled, 0, count);
    this.#prefixFilled += count;
    if (this.#prefixFilled === 4) {
      const length = this.#prefix.readInt32BE(0);
      this.#prefixFilled = 0;
      if (length < 4 || length > this.#options.frameBytesMax()) this.#options.onBadLength(length);
      else this.#begin(length);
    }
    return chunk.subarray(count);
  }

  #begin(length: number): void {
    const buffer = this.#options.memory.take(
      Math.min(length, Math.max(this.#options.trustedBytes(), scratchBytes)),
    );
    if (buffer === undefined) {
      const room = this.#options.memory.onRoom(() => this.#resume());
      this.#waiting = { length, held: this.#waiting?.held ?? [], cancel: () => room.cancel() };
      return;
    }
    this.#waiting = undefined;
    this.#body = { buffer, length, filled: 0 };
  }

  #resume(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#closed) return;
    this.#begin(waiting.length);
    if (!this.ready) return;
    for (const chunk of waiting.held) this.feed(chunk);
    if (this.ready && !this.#closed) this.#options.onReady();
  }

  #feedBody(body: { buffer: Buffer; length: number; filled: number }, chunk: Buffer): Buffer {
    const end = Math.min(body.length, body.buffer.length);
    const count = chunk.copy(body.buffer, body.filled, 0, Math.min(end - body.filled, chunk.length));
    body.filled += count;
    this.#settleBody(body);
    return chunk.subarray(count);
  }

  #settleBody(body: { buffer: Buffer; length: number; filled: number }): void {
    const memory = this.#options.memory;
    if (body.filled === body.length) {
      this.#body = undefined;
      this.#tail = undefined;
      this.#options.onFrame(frameOf(body.buffer, body.length, memory));
    } else if (body.filled === body.buffer.length) {
      this.#body = { ...body, buffer: memory.grow(body.buffer, Math.min(body.length, body.filled * 2)) };
    }
  }
}

function frameOf(buffer: Buffer, length: number, memory: FrameMemory): Frame {
  let held = true;
  return {
    bytes: buffer.subarray(0, length),
    release() {
      if (!held) return;
      held = false;
      memory.give(buffer);
    },
  };
}
