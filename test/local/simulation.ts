import type { Random } from '../../src/host/host.ts';
import {
  PartitionLog,
  positionOf,
  readPartition,
  type CoveredBatch,
  type PartitionKey,
} from '../../src/local/local.ts';
import { nextOffsetOf, scanBatches } from '../../src/log/log.ts';
import { encodeBatch, record } from '../log/encoder.ts';
import { FaultyDisk } from '../host/faulty-disk.ts';

export const key: PartitionKey = { topic: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0 };
export const folder = '/data';

/** Numbers in [0, 1) that are the same for the same seed. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A stretch of what the broker has: a batch to keep, one that is filtered out, or a hole it no longer has. */
interface Stretch {
  readonly kind: 'kept' | 'filtered' | 'gap';
  readonly from: bigint;
  to: bigint;
  readonly bytes: Buffer;
  /** True where a truncation left only its beginning. */
  isHalved?: boolean;
}

interface Wanted {
  readonly from: bigint;
  readonly to: bigint;
  readonly hex: string;
}

/** One partition, one broker, one disk; every choice comes from the seed. */
export class Simulation {
  readonly disk = new FaultyDisk();
  readonly history: string[] = [];
  readonly #number: () => number;
  readonly #random: Random;
  #broker: Stretch[] = [];
  #epoch = 0;
  #pendingTruncation: { offset: bigint; epoch: number } | undefined;
  #nowMs = Date.UTC(2026, 9, 30);
  /** What the log has promised to be durable. */
  #promised = 0n;
  #log: PartitionLog | undefined;

  constructor(seed: number) {
    this.#number = numbersFrom(seed);
    this.#random = {
      bytes: (count) => Buffer.from(Array.from({ length: count }, () => this.#below(256))),
      uuid: () => '00000000-0000-4000-8000-000000000000',
    };
  }

  async run(steps: number): Promise<void> {
    await this.disk.makeFolder(folder);
    await this.disk.syncFolder('/');
    await this.#reopen();
    for (let step = 0; step < steps; step += 1) {
      if (this.#number() < 0.15) this.#armFault();
      try {
        await this.#step();
        this.disk.fault = () => undefined;
      } catch (error) {
        this.disk.fault = () => undefined;
        this.#note(`failed: ${String(error)}`);
        await this.#log?.abandon();
        await this.#reopen();
      }
    }
    const end = await this.#open().sync();
    await this.#open()[Symbol.asyncDispose]();
    this.disk.powerCut();
    this.#promised = end?.offset ?? 0n;
    await this.#reopen();
    await this.#open()[Symbol.asyncDispose]();
  }

  async #step(): Promise<void> {
    const choice = this.#number();
    if (choice < 0.5) await this.#append();
    else if (choice < 0.7) await this.#sync();
    else if (choice < 0.76) this.#cut();
    else if (choice < 0.8) await this.#gap();
    else if (choice < 0.84) await this.#truncate();
    else if (choice < 0.9) this.#nowMs += this.#below(20) * 86_400_000;
    else if (choice < 0.95) await this.#kill();
    else await this.#powerCut();
  }

  #open(): PartitionLog {
    if (this.#log === undefined) throw new Error('expected an open log');
    return this.#log;
  }

  #at(): bigint {
    return positionOf(this.#open().coverage)?.offset ?? 0n;
  }

  async #append(): Promise<void> {
    const from = this.#at();
    const count = 1 + this.#below(4);
    let next = this.#broker.findIndex((stretch) => stretch.from === from);
    const stretches: Stretch[] = [];
    for (let index = 0; index < count; index += 1) {
      if (next === -1) next = this.#broker.length;
      const known = this.#broker[next] ?? this.#produce();
      if (known.kind === 'gap') break;
      if (known.from !== from && stretches.length === 0)
        throw new Broken(`the broker has no batch at ${from}`);
      stretches.push(known);
      next += 1;
    }
    const end = stretches.at(-1);
    if (end === undefined) {
      const gap = this.#broker[next];
      if (gap !== undefined) await this.#skip(gap);
      return;
    }
    const kept = stretches.filter((stretch) => stretch.kind === 'kept');
    const bytes = Buffer.concat(kept.map((stretch) => stretch.bytes));
    this.#note(`append ${from} to ${end.to}, ${kept.length} of ${stretches.length} kept`);
    await this.#open().append({
      bytes,
      batches: scanBatches(bytes).batches,
      end: { offset: end.to, epoch: this.#epoch },
      epochStarts: [{ epoch: this.#epoch, from }],
    });
  }

  #produce(): Stretch {
    const from = this.#broker.at(-1)?.to ?? 0n;
    const lastOffsetDelta = this.#below(5);
    const value = Buffer.alloc(this.#below(60), this.#below(256));
    const bytes = encodeBatch({
      baseOffset: from,
      leaderEpoch: this.#epoch,
      lastOffsetDelta,
      maxTimestamp: BigInt(this.#nowMs - this.#below(50) * 86_400_000),
      records: [record({ value })],
    });
    const to = from + BigInt(lastOffsetDelta) + 1n;
    const made: Stretch = { kind: this.#number() < 0.25 ? 'filtered' : 'kept', from, to, bytes };
    this.#broker.push(made);
    return made;
  }

  async #sync(): Promise<void> {
    const durable = await this.#open().sync();
    this.#note(`sync: ${durable?.offset}`);
    if (durable !== undefined) this.#promised = durable.offset;
  }

  #cut(): void {
    this.#note('cut');
    void this.#open().cut();
  }

  async #gap(): Promise<void> {
    const from = this.#at();
    if (from !== (this.#broker.at(-1)?.to ?? 0n)) return;
    const gap: Stretch = {
      kind: 'gap',
      from,
      to: from + 1n + BigInt(this.#below(9)),
      bytes: Buffer.alloc(0),
    };
    this.#broker.push(gap);
    await this.#skip(gap);
  }

  async #skip(gap: Stretch): Promise<void> {
    this.#note(`gap ${gap.from} to ${gap.to}`);
    await this.#open().skipGap(gap.from, gap.to);
    this.#promised = gap.to;
  }

  /** The cluster forgets everything from an offset on, which the sink finds out now. */
  async #truncate(): Promise<void> {
    const position = this.#at();
    const lowest = this.#open().coverage.ranges.at(-1)?.from ?? 0n;
    if (position === lowest) return;
    const offset = lowest + BigInt(this.#below(Number(position - lowest) + 1));
    this.#epoch += 1;
    this.#broker = this.#broker.filter((stretch) => stretch.from < offset);
    const last = this.#broker.at(-1);
    if (last !== undefined && last.to > offset) {
      last.to = offset;
      last.isHalved = true;
    }
    if (this.#promised > offset) this.#promised = offset;
    this.#pendingTruncation = { offset, epoch: this.#epoch };
    await this.#tellTruncation();
  }

  async #tellTruncation(): Promise<void> {
    const truncation = this.#pendingTruncation;
    if (truncation === undefined) return;
    this.#note(`truncate at ${truncation.offset}, epoch ${truncation.epoch}`);
    await this.#open().truncate(truncation.offset, truncation.epoch);
    this.#pendingTruncation = undefined;
    this.#promised = truncation.offset;
  }

  async #kill(): Promise<void> {
    this.#note('kill');
    await this.#open().flush();
    await this.#reopen();
  }

  async #powerCut(): Promise<void> {
    await this.#open().flush();
    const likely = [0, 0.5, 0.9][this.#below(3)] ?? 0;
    this.#note(`power cut, ${likely} survives`);
    this.disk.powerCut(() => this.#number() < likely);
    await this.#reopen();
  }

  /** One of the next calls fails; a retry may be granted. */
  #armFault(): void {
    let left = this.#below(8);
    const code = this.#number() < 0.5 ? 'EIO' : 'ENOSPC';
    this.disk.fault = (call, path) => {
      if (left < 0) return undefined;
      left -= 1;
      if (left >= 0) return undefined;
      this.#note(`${code} on ${call} ${path}`);
      return code;
    };
  }

  async #reopen(): Promise<void> {
    this.disk.fault = () => undefined;
    const isRetried = this.#number() < 0.5;
    const ports = { disk: this.disk, random: this.#random, clock: this.#clock };
    this.#log = await PartitionLog.open(folder, key, ports, {
      segmentBytes: 400,
      onRefusal: async (error) => {
        if (!isRetried) throw error;
      },
    });
    if (this.#log.durable === undefined) await this.#log.begin(0n);
    const told = this.#log.coverage.truncations.at(-1)?.epoch ?? 0;
    if (this.#pendingTruncation !== undefined && told === this.#pendingTruncation.epoch) {
      this.#pendingTruncation = undefined;
    }
    const at = this.#at();
    this.#note(`open at ${at}`);
    if (at < this.#promised) throw new Broken(`expected at least ${this.#promised}, got ${at}`);
    // An unfinished truncation is found again by the next fetch.
    if (this.#pendingTruncation !== undefined && at < this.#pendingTruncation.offset) {
      this.#pendingTruncation = undefined;
      // The broker never had half a batch: what is not saved yet goes on where that one began.
      const last = this.#broker.at(-1);
      if (last?.isHalved && last.from >= at) this.#broker.pop();
    }
    await this.#tellTruncation();
    await this.#compare();
  }

  async #compare(): Promise<void> {
    const at = this.#at();
    const found: Wanted[] = [];
    for await (const batch of readPartition(this.disk, folder, key)) found.push(takenOf(batch));
    const wanted = this.#broker
      .filter((stretch) => stretch.kind === 'kept' && stretch.from < at)
      .map(({ from, to, bytes }) => ({ from, to, hex: bytes.toString('hex') }));
    const differs = wanted.findIndex((want, index) => textOf(want) !== textOf(found[index]));
    if (differs !== -1) {
      throw new Broken(
        `batch ${differs}: expected ${textOf(wanted[differs])}, got ${textOf(found[differs])}`,
      );
    }
    if (found.length !== wanted.length)
      throw new Broken(`expected ${wanted.length} batches, got ${found.length}`);
  }

  readonly #clock = { nowMs: () => this.#nowMs, after: () => ({ cancel: () => undefined }) };

  #below(limit: number): number {
    return Math.floor(this.#number() * limit);
  }

  #note(text: string): void {
    this.history.push(text);
  }
}

/** The log broke its word, as opposed to the disk. */
export class Broken extends Error {}

function takenOf({ bytes, header, from, to }: CoveredBatch): Wanted {
  const batch = bytes.subarray(header.position, header.position + header.byteLength);
  return { from, to: to < nextOffsetOf(header) ? to : nextOffsetOf(header), hex: batch.toString('hex') };
}

function textOf(wanted: Wanted | undefined): string {
  return wanted === undefined ? 'nothing' : `${wanted.from} to ${wanted.to}: ${wanted.hex}`;
}
