import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { CoveredBatch } from '../local/local.ts';
import { nextOffsetOf, scanBatches } from '../log/log.ts';
import type { SnapshotSettings } from '../snapshot/snapshot.ts';
import { runOrder } from './ask.ts';
import type { Piece, ReadRequest, Served, ToServe } from './serving.ts';
import { heard } from './told.ts';

interface Waiting {
  readonly resolve: (piece: Piece | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A child process that reads snapshots for as long as it is wanted: many partitions side by side, each in order. */
export class ReadingSession implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<unknown>;
  #tell: (told: ToServe) => void = (told) => void this.#early.push(told);
  readonly #early: ToServe[] = [];
  #readings = 0;
  #failure: unknown;
  /** Of the blocks that were opened; known once the session has ended. */
  openedBytes = 0;

  constructor(host: Host, o: { settings: SnapshotSettings; signal: AbortSignal; stuckMs?: number }) {
    const order = runOrder(host, {
      order: 'serve',
      params: undefined,
      ...o,
      onBegun: (tell) => {
        this.#tell = tell;
        for (const told of this.#early.splice(0)) tell(told);
      },
      onItem: async (item) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what this very order gives
        this.#take(item as Served);
      },
    });
    this.#ended = order.then(
      ({ openedBytes }) => {
        this.openedBytes = openedBytes;
        this.#fail(new Error('the session has ended'));
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** In offset order. Each batch is a view of memory that nobody else uses. Throws damage. */
  async *read(request: ReadRequest): AsyncGenerator<CoveredBatch, void, undefined> {
    const reading = (this.#readings += 1);
    this.#tell({ kind: 'open', reading, request });
    let next = this.#ask(reading);
    try {
      for (;;) {
        const piece = await next;
        if (piece === undefined) return;
        // While this one is used, the next is on its way.
        next = this.#ask(reading);
        next.catch(() => undefined); // told when its turn comes
        yield* batchesIn(piece);
      }
    } finally {
      this.#tell({ kind: 'close', reading });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tell({ kind: 'end' });
    await this.#ended;
  }

  async #ask(reading: number): Promise<Piece | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#tell({ kind: 'more', reading });
    return new Promise((resolve, reject) => this.#waiting.set(reading, { resolve, reject }));
  }

  #take({ reading, piece, error }: Served): void {
    const waiting = this.#waiting.get(reading);
    this.#waiting.delete(reading);
    if (error === undefined) waiting?.resolve(piece);
    else waiting?.reject(heard(error));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

function* batchesIn({ bytes, from, to, path }: Piece): Generator<CoveredBatch, void, undefined> {
  // What crosses between processes comes as plain bytes.
  const own = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scan = scanBatches(own);
  if (scan.end !== own.length)
    throw new VarveError('failed', `a piece of ${path} came through broken at byte ${scan.end}`);
  for (const header of scan.batches) {
    const behind = nextOffsetOf(header);
    yield {
      bytes: own,
      header,
      from: header.baseOffset > from ? header.baseOffset : from,
      to: behind < to ? behind : to,
      path,
    };
  }
}
