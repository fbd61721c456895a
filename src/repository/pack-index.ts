/**
 * The last member of a pack, sealed: which segments it holds, where, and where in their blocks to begin reading. With it
 * one hour of a year is opened without the rest.
 */
import { z } from 'zod';
import { VarveError } from '../errors.ts';
import { count, offset, timestamp, topic, topicId } from './shapes.ts';

export const indexMemberName = 'index.sealed';

export interface PackIndex {
  readonly pack: string;
  readonly segments: readonly IndexedSegment[];
}

export interface IndexedSegment {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly branch: number;
  readonly base: bigint;
  /** Above every offset in it, and not above the base of the segment behind it. */
  readonly next: bigint;
  readonly rawBytes: number;
  readonly records: number;
  /** The smallest first timestamp of a batch, and the largest of all. */
  readonly firstMs: bigint;
  readonly lastMs: bigint;
  /** Of the sealed object in the pack, behind the tar header. */
  readonly position: number;
  readonly sealedBytes: number;
  readonly blocks: readonly IndexedBlock[];
}

export interface IndexedBlock {
  /** As the length before the block counts: frame and authentication. */
  readonly sealedBytes: number;
  /** Where the first batch that begins in this block begins, from the block's first byte; −1: none does. */
  readonly firstBatchAt: number;
  readonly firstBatchOffset: bigint;
  /** Of the batches that begin in it. */
  readonly maxTimestamp: bigint;
  /** Of the records of those batches; undefined where it is not known. */
  readonly minTimestamp: bigint | undefined;
}

const blockSchema = z.tuple([count, z.number().int().min(-1), offset, timestamp]);

const segmentSchema = z
  .object({
    topic,
    topicId,
    partition: count,
    branch: count,
    base: offset,
    next: offset,
    rawBytes: count,
    records: count,
    firstMs: timestamp,
    lastMs: timestamp,
    position: count,
    sealedBytes: count,
    blocks: z.array(blockSchema).min(1),
    // Beside the blocks and not in them, so that a program that does not know of it reads the rest.
    minTimestamps: z.array(timestamp.nullable()).optional(),
  })
  .refine(({ blocks, minTimestamps }) => (minTimestamps ?? blocks).length === blocks.length, {
    error: 'expected as many smallest timestamps as blocks',
  })
  .transform(({ minTimestamps, ...segment }) => ({
    ...segment,
    blocks: segment.blocks.map(([sealedBytes, firstBatchAt, firstBatchOffset, maxTimestamp], index) => ({
      sealedBytes,
      firstBatchAt,
      firstBatchOffset,
      maxTimestamp,
      minTimestamp: minTimestamps?.[index] ?? undefined,
    })),
  }));

const indexSchema = z.object({
  format: z.literal(1),
  pack: z.string(),
  segments: z.array(segmentSchema),
});

export function formatIndex({ pack, segments }: PackIndex): Buffer {
  return Buffer.from(
    JSON.stringify({
      format: 1,
      pack,
      segments: segments.map((segment) => ({
        ...segment,
        base: String(segment.base),
        next: String(segment.next),
        firstMs: String(segment.firstMs),
        lastMs: String(segment.lastMs),
        blocks: segment.blocks.map((block) => [
          block.sealedBytes,
          block.firstBatchAt,
          String(block.firstBatchOffset),
          String(block.maxTimestamp),
        ]),
        minTimestamps: smallestOf(segment),
      })),
    }),
  );
}

function smallestOf({ blocks }: IndexedSegment): (string | null)[] | undefined {
  if (blocks.every(({ minTimestamp }) => minTimestamp === undefined)) return undefined;
  return blocks.map(({ minTimestamp }) => (minTimestamp === undefined ? null : String(minTimestamp)));
}

export function parseIndex(raw: Buffer, pack: string): PackIndex {
  let json: unknown;
  try {
    json = JSON.parse(raw.toString('utf8'));
  } catch (cause) {
    throw notAnIndex(pack, 'it is not JSON', cause);
  }
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw notAnIndex(pack, z.prettifyError(parsed.error));
  if (parsed.data.pack !== pack) throw notAnIndex(pack, `it says that it is that of ${parsed.data.pack}`);
  return parsed.data;
}

function notAnIndex(pack: string, what: string, cause?: unknown): VarveError {
  return new VarveError('damage', `index of pack ${pack}: ${what}`, {
    hint: 'restore the pack from another copy of the repository, then run varve verify',
    cause,
  });
}
