import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemHost, type Clock, type Disk } from '../../src/host/host.ts';
import {
  PartitionLog,
  readPartition,
  type PartitionKey,
  type PartitionOptions,
} from '../../src/local/local.ts';
import { nextOffsetOf, scanBatches } from '../../src/log/log.ts';
import { encodeBatch, type BatchToEncode } from '../log/encoder.ts';

export const orders: PartitionKey = { topic: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0 };

export interface Place extends AsyncDisposable {
  readonly folder: string;
}

/** A folder of its own on the real disk. */
export async function place(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-local-'));
  return { folder, [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) };
}

export function clockAt(nowMs: number): Clock {
  return { nowMs: () => nowMs, after: () => ({ cancel: () => undefined }) };
}

export const november = Date.UTC(2026, 10, 21);

/** A batch of `count` offsets; 100 bytes long unless it is said otherwise. */
export function batch(base: bigint, o: BatchToEncode & { count?: number; byteLength?: number } = {}): Buffer {
  const { count = 1, byteLength = 100, ...fields } = o;
  return encodeBatch({
    baseOffset: base,
    lastOffsetDelta: count - 1,
    maxTimestamp: BigInt(november),
    recordCount: 1,
    section: Buffer.alloc(byteLength - 61, Number(base % 251n)), // this room decodes no record
    ...fields,
  });
}

export async function openLog(
  folder: string,
  o: Partial<PartitionOptions> & { disk?: Disk; nowMs?: number } = {},
): Promise<PartitionLog> {
  const { disk = systemHost.disk, nowMs = november, segmentBytes = 2 ** 20 } = o;
  const onRefusal =
    o.onRefusal ??
    (async (error: unknown): Promise<void> => {
      throw error;
    });
  const ports = { disk, random: systemHost.random, clock: clockAt(nowMs) };
  return await PartitionLog.open(folder, orders, ports, { segmentBytes, onRefusal });
}

/** Appends batches that lie side by side; `to` where more was fetched than is kept. */
export async function append(
  log: PartitionLog,
  batches: readonly Buffer[],
  o: { to?: bigint; epoch?: number } = {},
): Promise<void> {
  if (log.durable === undefined) await log.begin(0n);
  const bytes = Buffer.concat(batches);
  const headers = scanBatches(bytes).batches;
  const last = headers.at(-1);
  const offset = o.to ?? (last === undefined ? 0n : nextOffsetOf(last));
  const epoch = o.epoch ?? last?.leaderEpoch ?? 0;
  const from = headers[0]?.baseOffset ?? offset;
  await log.append({ bytes, batches: headers, end: { offset, epoch }, epochStarts: [{ epoch, from }] });
}

export async function readAll(folder: string, disk: Disk = systemHost.disk): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const { bytes, header } of readPartition(disk, folder, orders)) {
    found.push(Buffer.from(bytes.subarray(header.position, header.position + header.byteLength)));
  }
  return Buffer.concat(found);
}
