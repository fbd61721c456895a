/** The order that goes on: batches of many partitions, piece by piece, as the parent asks for them. */
import { BlockPool } from '../crypto/crypto.ts';
import type { CoveredBatch } from '../local/local.ts';
import { nextOffsetOf } from '../log/log.ts';
import { openManifest } from '../repository/repository.ts';
import { SnapshotSource } from '../snapshot/snapshot.ts';
import type { OrderContext } from './context.ts';
import { opener } from './looking.ts';
import { tell } from './told.ts';
import type { ToldError } from './messages.ts';

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
  /** Batches whose largest timestamp is before this may be left out. */
  readonly fromMs: bigint | undefined;
}

export type ToServe =
  | { readonly kind: 'open'; readonly reading: number; readonly request: ReadRequest }
  | { readonly kind: 'more'; readonly reading: number }
  | { readonly kind: 'close'; readonly reading: number }
  | { readonly kind: 'end' };

/** Whole batches, one behind the other, of which the offsets [from, to) are to be taken. */
export interface Piece {
  readonly bytes: Buffer;
  readonly from: bigint;
  readonly to: bigint;
  readonly path: string;
}

export interface Served {
  readonly reading: number;
  /** Undefined at the end. */
  readonly piece: Piece | undefined;
  readonly error: ToldError | undefined;
}

const pieceBytesMin = 512 * 1024;
const threadsMax = 2;

/** Carried out until the parent says that it is enough. */
export async function serve(context: OrderContext, _params: undefined): Promise<{ openedBytes: number }> {
  const { host } = context;
  const open = opener(context);
  const level = context.settings.repository.level;
  await using pool = new BlockPool({ threads: threadsMax, level });
  const sources = new Map<string, Promise<SnapshotSource>>();
  const readings = new Map<number, AsyncGenerator<Piece, void, undefined>>();
  const sourceOf = async ({ instance, snapshot }: ReadRequest): Promise<SnapshotSource> => {
    const repository = await open(instance);
    const { manifest } = await openManifest(host.disk, repository, snapshot);
    return new SnapshotSource(host.disk, repository, manifest, pool);
  };
  async function* piecesOf(request: ReadRequest): AsyncGenerator<Piece, void, undefined> {
    const key = `${request.instance}/${request.snapshot}`;
    const source = sources.get(key) ?? sourceOf(request);
    sources.set(key, source);
    const { first, below, fromMs } = request;
    const range = {
      ...(first !== undefined && { first }),
      ...(below !== undefined && { below }),
      ...(fromMs !== undefined && { fromMs }),
    };
    yield* joined((await source).read(request, range));
  }
  const answer = async (reading: number): Promise<void> => {
    try {
      const next = await readings.get(reading)?.next();
      await context.give({ reading, piece: next?.value ?? undefined, error: undefined } satisfies Served);
    } catch (error) {
      await context.give({ reading, piece: undefined, error: tell(error) } satisfies Served);
    }
  };
  await new Promise<void>((resolve) => {
    context.signal.addEventListener('abort', () => resolve(), { once: true });
    context.listen((told) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are one program
      const message = told as ToServe;
      if (message.kind === 'open') readings.set(message.reading, piecesOf(message.request));
      else if (message.kind === 'more') void answer(message.reading);
      else if (message.kind === 'close') {
        void readings.get(message.reading)?.return();
        readings.delete(message.reading);
      } else resolve();
    });
  });
  const done = await Promise.all(sources.values());
  return { openedBytes: done.reduce((sum, { openedBytes }) => sum + openedBytes, 0) };
}

/** Batches one behind the other, in memory of their own. One that is taken in part is at an end of its piece. */
async function* joined(
  batches: AsyncGenerator<CoveredBatch, void, undefined>,
): AsyncGenerator<Piece, void, undefined> {
  let views: Buffer[] = [];
  let length = 0;
  let open: (Omit<Piece, 'bytes'> & { readonly isWhole: boolean }) | undefined;
  const close = (range: Omit<Piece, 'bytes'>): Piece => {
    const { from, to, path } = range;
    const piece = { from, to, path, bytes: Buffer.concat(views, length) };
    views = [];
    length = 0;
    open = undefined;
    return piece;
  };
  for await (const { bytes, header, from, to, path } of batches) {
    const isFull = length >= pieceBytesMin || open?.isWhole === false || open?.path !== path;
    if (open !== undefined && (isFull || from > header.baseOffset)) yield close(open);
    const isWhole = to === nextOffsetOf(header);
    open = { from: open?.from ?? from, to, path, isWhole };
    views.push(bytes.subarray(header.position, header.position + header.byteLength));
    length += header.byteLength;
  }
  if (open !== undefined) yield close(open);
}
