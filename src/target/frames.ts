/**
 * What goes from the child to its parent beside their messages: pieces of the log, as bytes.
 *
 *     u32 length of the head | u32 length of the body | head: JSON | body
 */
export interface FrameHead {
  readonly reading: number;
  readonly [name: string]: unknown;
}

const lengthsBytes = 8;
/** One that is used, and those that were asked for ahead of it. */
const bodiesMax = 3;
/** So that the next one fits, too: an eighth more, at most so much. */
const slackBytesMax = 128 * 1024;

export function frameStart(head: FrameHead, bodyLength: number): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const start = Buffer.allocUnsafe(lengthsBytes + text.length);
  start.writeUInt32BE(text.length, 0);
  start.writeUInt32BE(bodyLength, 4);
  text.copy(start, lengthsBytes);
  return start;
}

/** Puts frames together again, whatever the chunks that they come in. */
export class FrameReader {
  readonly #onFrame: (head: FrameHead, body: Buffer) => void;
  #start: Buffer = Buffer.alloc(0);
  #head: FrameHead | undefined;
  #body: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** By reading: a body is used again once so many others have come. */
  readonly #bodies = new Map<number, Buffer[]>();

  constructor(onFrame: (head: FrameHead, body: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  feed(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 || this.#isWhole()) {
      if (this.#head === undefined) rest = this.#takeStart(rest);
      if (this.#head === undefined) return;
      const part = rest.subarray(0, this.#body.length - this.#filled);
      part.copy(this.#body, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#isWhole()) this.#end();
    }
  }

  #isWhole(): boolean {
    return this.#head !== undefined && this.#filled === this.#body.length;
  }

  #takeStart(chunk: Buffer): Buffer {
    const bytes = this.#start.length === 0 ? chunk : Buffer.concat([this.#start, chunk]);
    const headLength = bytes.length < lengthsBytes ? Infinity : bytes.readUInt32BE(0);
    if (bytes.length < lengthsBytes + headLength) {
      this.#start = Buffer.from(bytes); // the chunk's memory is the pipe's, and is filled again
      return Buffer.alloc(0);
    }
    const end = lengthsBytes + headLength;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are one program
    this.#head = JSON.parse(bytes.toString('utf8', lengthsBytes, end)) as FrameHead;
    this.#body = this.#memory(this.#head.reading, bytes.readUInt32BE(4));
    this.#filled = 0;
    this.#start = Buffer.alloc(0);
    return bytes.subarray(end);
  }

  #memory(reading: number, length: number): Buffer {
    const bodies = this.#bodies.get(reading) ?? [];
    this.#bodies.set(reading, bodies);
    const oldest = bodies.length < bodiesMax ? undefined : bodies.shift();
    const isEnough = oldest !== undefined && oldest.length >= length;
    const memory = isEnough ? oldest : Buffer.allocUnsafeSlow(length + Math.min(length >>> 3, slackBytesMax));
    bodies.push(memory);
    if (length === 0) this.#bodies.delete(reading); // its end
    return memory.subarray(0, length);
  }

  #end(): void {
    const head = this.#head;
    this.#head = undefined;
    if (head !== undefined) this.#onFrame(head, this.#body);
  }
}
