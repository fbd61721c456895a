import { VarveError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { CoveredBatch } from '../local/local.ts';
import { nextOffsetOf, scanBatches } from '../log/log.ts';
import type { SnapshotSettings } from '../snapshot/snapshot.ts';
import { runOrder, type Order, type OrderResult } from './ask.ts';
import { FrameReader } from './frames.ts';
import type { OverviewRequest } from './looking.ts';
import type { Look, PieceHead, ReadRequest, ServedHead, ToServe } from './serving.ts';
import { pouredFds } from './messages.ts';
import { heard } from './told.ts';

interface Piece extends PieceHead {
  readonly bytes: Buffer;
}

interface Waiting<T> {
  readonly resolve: (answer: T) => void;
  readonly reject: (error: unknown) => void;
}

type Found = Extract<Look, { found: unknown }>['found'];

const piecesAhead = 2;

export interface SessionOptions {
  readonly settings: SnapshotSettings;
  readonly signal: AbortSignal;
  readonly stuckMs?: number;
  /** Where one process at a time may reach the target: runs it in its turn. */
  readonly run?: (order: Order<'serve'>) => Promise<OrderResult<'serve'>>;
}

/**
 * A child process that looks at snapshots and reads them for as long as it is wanted: many partitions side by side, each
 * in order.
 */
export class ReadingSession implements AsyncDisposable {
  /** By reading, in the order in which they asked. */
  readonly #waiting = new Map<number, Waiting<Piece | undefined>[]>();
  readonly #looking: Waiting<Found>[] = [];
  readonly #ended: Promise<unknown>;
  readonly #target: string | undefined;
  #tell: (told: ToServe) => void = (told) => void this.#early.push(told);
  readonly #early: ToServe[] = [];
  #readings = 0;
  #failure: unknown;
  /** Of the blocks that were opened; known once the session has ended. */
  openedBytes = 0;

  constructor(host: Host, o: SessionOptions) {
    const { settings, signal, stuckMs } = o;
    this.#target = settings.repository.dir;
    const run = o.run ?? (async (order) => runOrder(host, order));
    const frames = pouredFds.map(() => new FrameReader((head, body) => this.#take(head, body)));
    const order = run({
      order: 'serve',
      params: undefined,
      settings,
      signal,
      ...(stuckMs !== undefined && { stuckMs }),
      onBegun: (tell) => {
        this.#tell = tell;
        for (const told of this.#early.splice(0)) tell(told);
      },
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are one program
      onItem: async (item) => this.#seen(item as Look),
      onPoured: (chunk, pipe) => frames[pipe]?.feed(chunk),
    });
    this.#ended = order.then(
      ({ openedBytes }) => {
        this.openedBytes = openedBytes;
        this.#fail(new Error('the session has ended'));
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** The list, and what the newest snapshot of each instance holds. */
  async overview(asked: OverviewRequest): Promise<Found> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#tell({ kind: 'look', asked });
    return new Promise((resolve, reject) => void this.#looking.push({ resolve, reject }));
  }

  /** In offset order. Each batch is a view of memory that nobody else uses. Throws damage. */
  async *read(request: ReadRequest): AsyncGenerator<CoveredBatch, void, undefined> {
    const reading = (this.#readings += 1);
    this.#tell({ kind: 'open', reading, request });
    const ahead: Promise<Piece | undefined>[] = [];
    const ask = (): void => {
      const piece = this.#ask(reading);
      piece.catch(() => undefined); // told when its turn comes
      ahead.push(piece);
    };
    try {
      // While one is used, the next are on their way.
      for (let count = 0; count < piecesAhead; count += 1) ask();
      for (;;) {
        const piece = await ahead.shift();
        if (piece === undefined) return;
        ask();
        yield* batchesIn(piece);
      }
    } finally {
      this.#tell({ kind: 'close', reading });
      this.#waiting.delete(reading);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tell({ kind: 'end' });
    await this.#ended;
  }

  async #ask(reading: number): Promise<Piece | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#tell({ kind: 'more', reading });
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(reading) ?? [];
      waiting.push({ resolve, reject });
      this.#waiting.set(reading, waiting);
    });
  }

  #take(head: ServedHead, bytes: Buffer): void {
    const { reading, error, from, to, path, isWhole } = head;
    const waiting = this.#waiting.get(reading)?.shift();
    if (error !== undefined) waiting?.reject(heard(error, this.#target));
    else if (from === undefined || to === undefined) {
      if (isWhole === true) waiting?.resolve(undefined);
      else waiting?.reject(new VarveError('failed', 'the reading of a snapshot ended before its end'));
    } else waiting?.resolve({ bytes, from: BigInt(from), to: BigInt(to), path: path ?? '' });
  }

  #seen(look: Look): void {
    const looking = this.#looking.shift();
    if ('found' in look) looking?.resolve(look.found);
    else looking?.reject(heard(look.error, this.#target));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of [...this.#looking.splice(0), ...[...this.#waiting.values()].flat()])
      reject(this.#failure);
    this.#waiting.clear();
  }
}

function* batchesIn({ bytes, from, to, path }: Piece): Generator<CoveredBatch, void, undefined> {
  const scan = scanBatches(bytes);
  if (scan.end !== bytes.length)
    throw new VarveError('failed', `a piece of ${path} came through broken at byte ${scan.end}`);
  for (const header of scan.batches) {
    const behind = nextOffsetOf(header);
    yield {
      bytes,
      header,
      from: header.baseOffset > from ? header.baseOffset : from,
      to: behind < to ? behind : to,
      path,
    };
  }
}
