/** What is let in as the document of a snapshot: whatever a byte of it says is held against this. */
import { z } from 'zod';
import { accessShape } from './access.ts';
import { count, digest, offset, timestamp, topic, topicId, uuid } from './shapes.ts';

export const packPathPattern = /^\d{4}-(0[1-9]|1[0-2])\/\d{10}-\d{1,6}\.tar$/;

const sealedRange = z
  .tuple([count, offset, offset])
  .transform(([branch, from, to]) => ({ branch, from, to }));

const coverage = z.object({
  ranges: z.array(z.tuple([offset, offset]).transform(([from, to]) => ({ from, to }))),
  epochs: z.array(z.tuple([count, offset]).transform(([epoch, from]) => ({ epoch, from }))),
  gaps: z.array(z.tuple([offset, offset, z.string()]).transform(([from, to, at]) => ({ from, to, at }))),
  truncations: z.array(
    z.tuple([offset, count, z.string()]).transform(([at, epoch, when]) => ({ offset: at, epoch, at: when })),
  ),
});

const partitionRow = z.object({
  partition: count,
  coverage,
  sealed: z.array(sealedRange),
  records: count,
  rawBytes: count,
  firstMs: timestamp.nullable(),
  lastMs: timestamp.nullable(),
});

export const topicSettingsShape = z.object({
  readMs: count,
  partitions: count,
  replicationFactor: count,
  configs: z.array(z.tuple([z.string(), z.string()])),
});

export const savedGroupsShape = z.object({
  readMs: count,
  groups: z.array(
    z.object({
      group: z.string(),
      protocolType: z.string(),
      offsets: z.array(
        z
          .tuple([z.string(), count, timestamp, z.number().int(), z.string()])
          .transform(([name, partition, at, leaderEpoch, metadata]) => ({
            topic: name,
            partition,
            offset: at,
            leaderEpoch,
            metadata,
          })),
      ),
    }),
  ),
});

const headShape = {
  format: z.literal(1),
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{4}$/),
  seq: z.number().int().min(1),
  previous: z.object({ id: z.string(), digest }).nullable(),
  repository: uuid,
  instance: z.string(),
  installation: uuid,
  cluster: z.string(),
  tool: z.string(),
  takenMs: count,
  packs: z.array(
    z.object({
      path: z.string().regex(packPathPattern),
      shared: z.literal(true).optional(),
      bytes: count,
      sha256: digest,
      index: z.object({ position: count, bytes: count }),
      segments: count,
      rawBytes: count,
      checkedMs: count,
      readBack: z.string(),
    }),
  ),
};

export const headSchema = z.object({
  ...headShape,
  totals: z.object({ topics: count, partitions: count, records: count, rawBytes: count }),
});

export const manifestSchema = z.object({
  ...headShape,
  incarnations: z.array(
    z.object({
      topic,
      topicId,
      firstSeen: z.string().nullable(),
      isExpected: z.boolean(),
      settings: topicSettingsShape.nullable(),
      partitions: z.array(partitionRow),
    }),
  ),
  groups: savedGroupsShape.nullable(),
  ...accessShape,
  expired: z.array(
    z
      .tuple([topic, topicId, count, count, offset, offset])
      .transform(([name, id, partition, branch, from, to]) => ({
        topic: name,
        topicId: id,
        partition,
        branch,
        from,
        to,
      })),
  ),
});
