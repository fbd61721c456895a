/** The order that goes on: batches of many partitions, piece by piece, as the parent asks for them. */
import { availableParallelism } from 'node:os';
import { BlockPool } from '../crypto/crypto.ts';
import type { CoveredBatch } from '../local/local.ts';
import { nextOffsetOf } from '../log/log.ts';
import { openManifest, orUnmounted, withOwners } from '../repository/repository.ts';
import { SnapshotSource } from '../snapshot/snapshot.ts';
import type { OrderContext } from './context.ts';
import { frameStart, type FrameHead } from './frames.ts';
import { opener, overview, type OverviewRequest } from './looking.ts';
import { tell } from './told.ts';
import { pouredFds, type ToldError } from './messages.ts';

/** What is wanted of one partition. */
export interface ReadRequest {
  readonly instance: string;
  readonly snapshot: string;
  readonly topicId: string;
  readonly partition: number;
  /** Only offsets from here on. */
  readonly first: bigint | undefined;
  /** Only offsets below this one. */
  readonly below: bigint | undefined;
  /** Batches without a record from here on, and before `toMs`, may be left out. */
  readonly fromMs: bigint | undefined;
  readonly toMs: bigint | undefined;
}

export type ToServe =
  /** Answered with an item: what `overview` returns, or its error. */
  | { readonly kind: 'look'; readonly asked: OverviewRequest }
  | { readonly kind: 'open'; readonly reading: number; readonly request: ReadRequest }
  | { readonly kind: 'more'; readonly reading: number }
  | { readonly kind: 'close'; readonly reading: number }
  | { readonly kind: 'end' };

/** Whole batches, one behind the other, of which the offsets [from, to) are to be taken. */
export interface PieceHead {
  readonly from: bigint;
  readonly to: bigint;
  readonly path: string;
}

interface Piece extends PieceHead {
  readonly bytes: Buffer;
}

/** The head of a frame in which a reading is answered; the body is the piece, and empty at the end. */
export interface ServedHead extends FrameHead {
  readonly from?: string;
  readonly to?: string;
  readonly path?: string;
  readonly error?: ToldError;
  /** At the end: everything that was asked for has been told. */
  readonly isWhole?: boolean;
}

const threadsMax = 2;

/** What is given to the parent for each look. */
export type Look = { readonly found: Awaited<ReturnType<typeof overview>> } | { readonly error: ToldError };

/** Carried out until the parent says that it is enough. */
export async function serve(context: OrderContext, _params: undefined): Promise<{ openedBytes: number }> {
  const { host, settings } = context;
  const open = opener(context);
  const { level } = settings.repository;
  // On a small machine the threads would only take turns with the process itself.
  await using pool = availableParallelism() > 2 ? new BlockPool({ threads: threadsMax, level }) : undefined;
  const sources = new Map<string, Promise<SnapshotSource>>();
  const readings = new Map<number, AsyncGenerator<Piece, 'whole' | undefined, undefined>>();
  const sourceOf = async ({ instance, snapshot }: ReadRequest): Promise<SnapshotSource> => {
    const repository = await open(instance);
    const { manifest } = await openManifest(host.disk, repository, snapshot);
    return new SnapshotSource(host.disk, repository, manifest, pool);
  };
  async function* piecesOf(request: ReadRequest): AsyncGenerator<Piece, 'whole' | undefined, undefined> {
    const key = `${request.instance}/${request.snapshot}`;
    const source = sources.get(key) ?? sourceOf(request);
    sources.set(key, source);
    const { first, below, fromMs, toMs } = request;
    const range = {
      ...(first !== undefined && { first }),
      ...(below !== undefined && { below }),
      ...(fromMs !== undefined && { fromMs }),
      ...(toMs !== undefined && { toMs }),
    };
    try {
      yield* joined((await source).read(request, range));
      return 'whole';
    } catch (error) {
      // Waited for in here: what was asked for ahead waits, too, and no end is told before the error.
      throw await withOwners(error, host.disk);
    }
  }
  const answer = async (reading: number): Promise<void> => {
    let head: ServedHead;
    let bytes: Buffer = Buffer.alloc(0);
    try {
      const step = await readings.get(reading)?.next();
      head = headOf(reading, step);
      if (step?.done === false) ({ bytes } = step.value);
    } catch (error) {
      head = { reading, error: tell(error) };
    }
    await context.pour([frameStart(head, bytes.length), bytes], reading % pouredFds.length);
  };
  const look = async (asked: OverviewRequest): Promise<void> => {
    let answered: Look;
    try {
      answered = { found: await overview(context, asked, open) };
    } catch (error) {
      const folders = { folder: settings.repository.dir ?? '', localFolder: settings.localFolder };
      answered = { error: tell(await withOwners(await orUnmounted(error, host, folders), host.disk)) };
    }
    await context.give(answered);
  };
  await new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => resolve(), { once: true });
    context.listen((told) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are one program
      const message = told as ToServe;
      if (message.kind === 'open') readings.set(message.reading, piecesOf(message.request));
      else if (message.kind === 'look') void look(message.asked);
      else if (message.kind === 'more') void answer(message.reading);
      else if (message.kind === 'close') {
        void readings.get(message.reading)?.return(undefined);
        readings.delete(message.reading);
      } else resolve();
    });
  });
  const done = await Promise.all(sources.values());
  return { openedBytes: done.reduce((sum, { openedBytes }) => sum + openedBytes, 0) };
}

/** Behind a failure there is an end, too: it is not the one that says that all has been told. */
function headOf(reading: number, step: IteratorResult<Piece, 'whole' | undefined> | undefined): ServedHead {
  if (step?.done !== false) return { reading, isWhole: step?.value === 'whole' };
  const { from, to, path } = step.value;
  return { reading, from: String(from), to: String(to), path };
}

/** The batches of a block together, as a view of the memory they were opened in. One taken in part ends its piece. */
async function* joined(
  batches: AsyncGenerator<CoveredBatch, void, undefined>,
): AsyncGenerator<Piece, void, undefined> {
  let open: (PieceHead & { bytes: Buffer; begin: number; end: number; isWhole: boolean }) | undefined;
  const close = ({ from, to, path, bytes, begin, end }: NonNullable<typeof open>): Piece => ({
    from,
    to,
    path,
    bytes: bytes.subarray(begin, end),
  });
  for await (const { bytes, header, from, to, path } of batches) {
    const isBehind = open?.bytes === bytes && open.end === header.position && open.isWhole;
    const isApart = !isBehind || from > header.baseOffset;
    if (open !== undefined && isApart) {
      yield close(open);
      open = undefined;
    }
    const begin = open?.begin ?? header.position;
    const end = header.position + header.byteLength;
    open = { from: open?.from ?? from, to, path, bytes, begin, end, isWhole: to === nextOffsetOf(header) };
  }
  if (open !== undefined) yield close(open);
}
