import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../src/cli/cli.ts';
import type { Surroundings } from '../../src/cli/command.ts';
import { systemHost, type Clock } from '../../src/host/host.ts';
import { PartitionLog, type PartitionKey } from '../../src/local/local.ts';
import { nextOffsetOf, scanBatches } from '../../src/log/log.ts';
import { encodeBatch, record, type BatchToEncode } from '../log/encoder.ts';
import { surroundings, type Ran } from './surroundings.ts';

export interface Here extends AsyncDisposable {
  readonly folder: string;
  /** Runs a command line in this process, on the real disk, with this folder as local.dir. */
  run(
    argv: readonly string[],
    changes?: Partial<Surroundings>,
  ): Promise<Ran & { readonly chunks: readonly string[] }>;
}

/** A folder of its own for one test. */
export async function here(): Promise<Here> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-cli-'));
  return {
    folder,
    async run(argv, changes = {}) {
      const chunks: string[] = [];
      let stderr = '';
      const around = surroundings(
        { env: { VARVE_LOCAL_DIR: folder, VARVE_KAFKA_BROKERS: '127.0.0.1:1' } },
        {
          host: systemHost,
          cwd: folder,
          stdout: async (chunk) => void chunks.push(Buffer.from(chunk).toString('utf8')),
          stderr: (text) => void (stderr += text),
          ...changes,
        },
      );
      const status = await runCli(argv, around);
      return { status, stdout: chunks.join(''), stderr, chunks };
    },
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}

export const orders: PartitionKey = { topic: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0 };

/** `november(3)`: three milliseconds into November 2026, in UTC. */
export const november = (ms: number): bigint => BigInt(Date.UTC(2026, 10, 1) + ms);

/** One record for each text, one millisecond apart, key and value alike. */
export function batchOf(base: bigint, texts: readonly string[], changes: BatchToEncode = {}): Buffer {
  return encodeBatch({
    baseOffset: base,
    baseTimestamp: november(Number(base)),
    maxTimestamp: november(Number(base) + texts.length - 1),
    records: texts.map((text, index) =>
      record({
        offsetDelta: index,
        timestampDelta: BigInt(index),
        key: Buffer.from(text),
        value: Buffer.from(text),
      }),
    ),
    ...changes,
  });
}

/** Lays batches down as the sink does, in one run; a gap where an entry is a range. */
export async function save(
  folder: string,
  key: PartitionKey,
  entries: readonly (Buffer | { readonly from: bigint; readonly to: bigint })[],
  options: { readonly segmentBytes?: number; readonly clock?: Clock } = {},
): Promise<void> {
  const ports = { ...systemHost, ...(options.clock === undefined ? {} : { clock: options.clock }) };
  await using log = await PartitionLog.open(folder, key, ports, {
    segmentBytes: options.segmentBytes ?? 2 ** 20,
    onRefusal: async (error) => {
      throw error;
    },
  });
  if (log.durable === undefined) await log.begin(0n);
  for (const entry of entries) {
    if (!Buffer.isBuffer(entry)) {
      await log.skipGap(entry.from, entry.to);
      continue;
    }
    const { batches } = scanBatches(entry);
    const last = batches.at(-1);
    if (last === undefined) throw new Error('expected a batch');
    const end = { offset: nextOffsetOf(last), epoch: last.leaderEpoch };
    await log.append({ bytes: entry, batches, end, epochStarts: [] });
  }
}
