import { Worker } from 'node:worker_threads';
import type { BlockPosition } from './block.ts';

export interface BlockTask {
  readonly id: number;
  readonly kind: 'seal' | 'open';
  readonly objectKey: Uint8Array;
  readonly position: BlockPosition;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly rawBytesMin: number;
}

export interface BlockAnswer {
  readonly id: number;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** The memory that was handed in, to be filled again. */
  readonly spare?: ArrayBuffer;
  /** The block is not what was sealed there, or is no whole frame. */
  readonly refused?: 'sealed' | 'frame';
  readonly failure?: string;
}

export interface SealedBlock {
  /** Length, sealed frame and authentication, as they stand in the file. */
  readonly bytes: Buffer;
  /** The block's own memory again. */
  readonly spare: ArrayBuffer;
}

interface Waiting {
  readonly resolve: (answer: BlockAnswer) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  busy: number;
}

/** Compresses and seals, or opens and inflates, blocks in threads of their own. Answers come in any order. */
export class BlockPool implements AsyncDisposable {
  readonly #threads: Thread[];
  readonly #waiting = new Map<number, Waiting & { thread: Thread }>();
  #ids = 0;
  #failure: Error | undefined;

  constructor({ threads, level }: { readonly threads: number; readonly level: number }) {
    this.#threads = Array.from({ length: threads }, () => this.#start(level));
  }

  get threads(): number {
    return this.#threads.length;
  }

  /** Takes over the memory of `raw`, which must be a view of nobody else's. */
  async seal(objectKey: Buffer, position: BlockPosition, raw: Uint8Array): Promise<SealedBlock> {
    const { buffer } = raw;
    if (!(buffer instanceof ArrayBuffer)) throw new Error('memory that is shared cannot be handed over');
    const whole = new Uint8Array(buffer, raw.byteOffset, raw.byteLength);
    const { bytes, spare } = await this.#ask({
      kind: 'seal',
      objectKey,
      position,
      bytes: whole,
      rawBytesMin: 0,
    });
    if (bytes === undefined || spare === undefined) throw new Error('a sealing thread gave nothing back');
    return { bytes: asBuffer(bytes), spare };
  }

  /** `refused` where it is not the block that was sealed there. Leaves the memory of `sealed` alone. */
  async open(
    objectKey: Buffer,
    position: BlockPosition,
    o: { sealed: Buffer; rawBytesMin: number },
  ): Promise<Buffer | 'sealed' | 'frame'> {
    // A view that is posted takes all of the memory it is a view of along with it.
    const own = new Uint8Array(o.sealed);
    const { rawBytesMin } = o;
    const { bytes, refused } = await this.#ask({
      kind: 'open',
      objectKey,
      position,
      bytes: own,
      rawBytesMin,
    });
    if (bytes !== undefined) return asBuffer(bytes);
    return refused ?? 'sealed';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('the threads were stopped'));
    await Promise.all(this.#threads.map(async ({ worker }) => worker.terminate()));
  }

  /** The memory of `bytes` goes to the thread. */
  async #ask(task: Omit<BlockTask, 'id'>): Promise<BlockAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    const thread = this.#threads.reduce((least, other) => (other.busy < least.busy ? other : least));
    const id = (this.#ids += 1);
    thread.busy += 1;
    const answer = await new Promise<BlockAnswer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, thread });
      const objectKey = new Uint8Array(task.objectKey);
      thread.worker.postMessage({ ...task, objectKey, id }, [task.bytes.buffer]);
    });
    if (answer.failure !== undefined) throw new Error(answer.failure);
    return answer;
  }

  #start(level: number): Thread {
    const worker = new Worker(new URL('block-worker.ts', import.meta.url), {
      workerData: level,
      // The heap of a thread that holds a few blocks outside of it.
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    worker.on('message', (answer: BlockAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (waiting === undefined) return;
      waiting.thread.busy -= 1;
      waiting.resolve(answer);
    });
    worker.on('error', (error: unknown) =>
      this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
    worker.on('exit', () => this.#fail(new Error('a sealing thread ended')));
    return { worker, busy: 0 };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
