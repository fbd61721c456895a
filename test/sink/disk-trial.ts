import { expect } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import { listGaps, LocalFolder, readPartition } from '../../src/local/local.ts';
import { Sink, type Cut, type SinkEvent } from '../../src/sink/sink.ts';
import { freeSegments } from '../../src/snapshot/free.ts';
import { FaultyDisk, type DiskCall } from '../host/faulty-disk.ts';
import { hostOn, MemoryCluster, QuickClock } from './in-memory.ts';

/** What fails: the error of a call, given its number, and how long ago the first one failed. */
export interface Fault {
  readonly code: 'EIO' | 'ENOSPC';
  readonly hits: (o: { call: DiskCall; at: number; sinceMs: number | undefined }) => boolean;
  /** So long after the first failure the power goes, and everything that was not synced. */
  readonly powerFailsAfterMs?: number;
}

/** It went as it does when something cannot be had: told, and tried again. */
class NotYet extends Error {}

export const folder = '/data';
const october = Date.UTC(2026, 9, 31, 12);
const dayMs = 86_400_000;
const livesMax = 8;

/**
 * A cluster, and a sink that backs it up onto a disk that fails as told: month changes, rolls, cuts, what is freed
 * behind a snapshot, a gap, a truncation, restarts. Whoever runs it starts it again when it ends, as an operator does.
 */
export class DiskTrial {
  readonly #given = hostWith();
  readonly disk = this.#given.disk;
  readonly clock = this.#given.clock;
  readonly cluster = this.#given.cluster;
  readonly events: SinkEvent[] = [];
  readonly errors: unknown[] = [];
  /** The first call that failed. */
  struck: { readonly call: DiskCall; readonly path: string } | undefined;
  readonly #fault: Fault | undefined;
  readonly #host = this.#given.host;
  #life: OpenedSink | undefined;
  #powerFails: AbortController | undefined;
  /** What a snapshot holds, by partition. */
  readonly #saved = new Map<number, Map<bigint, string>>();
  readonly #gaps: string[] = [];

  constructor(fault?: Fault, onCall?: (call: DiskCall, path: string) => void) {
    this.#fault = fault;
    let at = 0;
    let firstMs: number | undefined;
    this.disk.fault = (call, path) => {
      at += 1;
      onCall?.(call, path);
      const sinceMs = firstMs === undefined ? undefined : this.clock.nowMs() - firstMs;
      if (!fault?.hits({ call, at, sinceMs })) return undefined;
      firstMs ??= this.clock.nowMs();
      if (this.struck === undefined) this.#strike({ call, path });
      return fault.code;
    };
  }

  #strike(struck: { call: DiskCall; path: string }): void {
    this.struck = struck;
    const afterMs = this.#fault?.powerFailsAfterMs;
    if (afterMs === undefined) return;
    const fails = new AbortController();
    this.#powerFails = fails;
    this.clock.after(afterMs, () => fails.abort());
  }

  /** The whole story; whatever fails in it is tried again. */
  async run(): Promise<void> {
    const [first, second] = this.cluster.logs;
    if (first === undefined || second === undefined) throw new Error('expected two partitions');
    for (const log of [first, second]) log.produce(4, this.clock.nowMs());
    await this.#caughtUp();
    this.clock.move(dayMs);
    for (const log of [first, second]) log.produce(7, this.clock.nowMs());
    await this.#caughtUp();
    await this.#cut();
    const readUpTo = first.end;
    first.produce(3, this.clock.nowMs());
    first.deleteAll(readUpTo);
    this.#gaps.push(`${readUpTo}..${first.end}`);
    first.produce(2, this.clock.nowMs());
    second.produce(2, this.clock.nowMs());
    await this.#caughtUp();
    second.loseLast(2);
    this.cluster.committed.set(1, second.end);
    second.produce(2, this.clock.nowMs());
    await this.#caughtUp();
    await this.#free();
    await this.#end();
    for (const log of [first, second]) log.produce(2, this.clock.nowMs());
    await this.#caughtUp();
    await this.#end();
  }

  /** What has to be so in the end, whatever happened, also after a power cut that leaves only what was synced. */
  async assertHolds(): Promise<void> {
    this.#assertTold();
    this.disk.fault = () => undefined;
    await this.#end();
    this.disk.powerCut();
    await this.#caughtUp();
    await this.#end();
    for (const [partition, log] of this.cluster.logs.entries()) {
      const kept = new Map(this.#saved.get(partition));
      for (const [from, text] of await this.#read(partition)) {
        expect(kept.get(from) ?? text, `partition ${partition}, ${from}`).toBe(text);
        kept.set(from, text);
      }
      const wanted = log.wanted.filter(({ isData }) => isData).map(textOf);
      expect([...kept.values()], `partition ${partition}`).toEqual(wanted);
    }
    const gaps = await listGaps(this.disk, folder);
    expect(gaps.map(({ from, to }) => `${from}..${to}`)).toEqual(this.#gaps);
  }

  /** Every error of a command has a code that fits; what no command ended with was told meanwhile. */
  #assertTold(): void {
    const fitting = this.#fault?.code === 'ENOSPC' ? 'no-space' : 'target-unusable';
    for (const error of this.errors) {
      if (error instanceof NotYet) continue;
      const code = error instanceof VarveError ? error.code : String(error);
      expect([fitting, 'interrupted']).toContain(code);
    }
    const told = this.events.filter(({ type }) => type === 'disk-refused' || type === 'partition-stopped');
    for (const event of told)
      if (event.type === 'disk-refused') expect(event.isFull).toBe(this.#fault?.code === 'ENOSPC');
    // A look at the disk that is the last one anyway, and a socket that stays behind.
    const isHarmless = ['stat', 'freeBytes'].includes(this.struck?.call ?? 'stat');
    if (!isHarmless && !this.struck?.path.endsWith('varve.sock'))
      expect(told.length + this.errors.length, 'told').toBeGreaterThan(0);
  }

  async #caughtUp(): Promise<void> {
    await this.#again(async (sink) => {
      const { missing } = await sink.catchUp(this.#powerFails?.signal);
      if (missing.length > 0) throw new NotYet(missing.map(({ message }) => message).join('; '));
    });
  }

  async #cut(): Promise<void> {
    let cut: Cut | undefined;
    await this.#again(async (sink) => {
      cut = await sink.cut();
      if (cut.busy.length === 0) return;
      await sink.catchUp(this.#powerFails?.signal);
      throw new NotYet('a partition was left out of the cut');
    });
    for (const { partition, coverage } of cut?.partitions ?? []) {
      const end = coverage.ranges.at(-1)?.to ?? 0n;
      const read = await unharmed(this.disk, async () => this.#read(partition));
      this.#saved.set(partition, new Map([...read].filter(([from]) => from < end)));
    }
  }

  /** As a later cycle does with what a snapshot holds. */
  async #free(): Promise<void> {
    const { topic, topicId } = this.cluster;
    const partitions = [...this.#saved].map(([partition, saved]) => {
      const sealed = [{ branch: 0, from: 0n, to: endOf(saved) }];
      const coverage = { ranges: [], epochs: [], gaps: [], truncations: [] };
      return { partition, sealed, coverage, records: 0, rawBytes: 0, firstMs: null, lastMs: null };
    });
    const base = {
      incarnations: [{ topic, topicId, firstSeen: null, isExpected: true, settings: null, partitions }],
    };
    const request = { localFolder: folder, localKeepMs: 0, localMinFreeBytes: 0, sinceMs: 0 };
    const nowMs = this.clock.nowMs();
    try {
      await freeSegments(base, request, {
        ...this.#host,
        clock: { nowMs: () => nowMs + 400 * dayMs, after: () => ({ cancel: () => undefined }) },
      });
    } catch (error) {
      this.errors.push(new NotYet('the cycle frees what it can the next time', { cause: error }));
    }
  }

  /** With a running sink, until it works; a sink that ended is started again. */
  async #again(work: (sink: Sink) => Promise<void>): Promise<void> {
    for (let life = 0; life < livesMax; life += 1) {
      try {
        await work(await this.#running());
        return;
      } catch (error) {
        this.errors.push(error);
        await this.#end();
        if (this.#powerFails !== undefined) this.#powerCut();
        this.clock.move(5000);
      }
    }
    throw new Error('it does not come back', { cause: this.errors.at(-1) });
  }

  #powerCut(): void {
    this.#powerFails = undefined;
    this.disk.fault = () => undefined;
    this.disk.powerCut();
  }

  async #running(): Promise<Sink> {
    if (this.#life !== undefined) return this.#life.sink;
    const { cluster } = this;
    const emit = (event: SinkEvent): unknown => this.events.push(event);
    this.#life = await openedSink({ host: this.#host, cluster, mode: 'follow', emit });
    const { sink } = this.#life;
    for (const { partition, durable } of sink.followed())
      expect(durable, 'what was committed is there').toBeGreaterThanOrEqual(
        cluster.committed.get(partition) ?? 0n,
      );
    return sink;
  }

  async #end(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    try {
      await life?.[Symbol.asyncDispose]();
    } catch (error) {
      this.errors.push(error);
    }
  }

  async #read(partition: number): Promise<Map<bigint, string>> {
    const found = new Map<bigint, string>();
    const { topic, topicId } = this.cluster;
    for await (const { bytes, header, from, to } of readPartition(this.disk, folder, {
      topic,
      topicId,
      partition,
    })) {
      const { position, byteLength } = header;
      expect([...found.keys()].every((other) => other < from)).toBe(true);
      found.set(from, textOf({ from, to, bytes: bytes.subarray(position, position + byteLength) }));
    }
    return found;
  }
}

/** A disk, a clock and a cluster of its own. */
export function hostWith(): { disk: FaultyDisk; clock: QuickClock; cluster: MemoryCluster; host: Host } {
  const disk = new FaultyDisk();
  const clock = new QuickClock(october);
  return { disk, clock, cluster: new MemoryCluster(clock), host: hostOn(disk, clock) };
}

const serveNothing = async (): Promise<void> => undefined;

interface OpenedSink extends AsyncDisposable {
  readonly sink: Sink;
}

export async function openedSink(o: {
  host: Host;
  cluster: MemoryCluster;
  mode: 'follow' | 'catch-up';
  emit: (event: SinkEvent) => unknown;
}): Promise<OpenedSink> {
  await using opened = new AsyncDisposableStack();
  const local = opened.use(await LocalFolder.open(o.host, folder, { instance: 'main', serve: serveNothing }));
  const sink = opened.use(
    await Sink.start({
      ...o,
      local,
      emit: (event) => void o.emit(event),
      isWanted: () => true,
      group: 'varve-test',
      segmentBytes: 700,
      inFlightBytes: 2 ** 20,
      minFreeBytes: 0,
    }),
  );
  const stack = opened.move();
  return { sink, [Symbol.asyncDispose]: async () => stack.disposeAsync() };
}

function textOf({ from, to, bytes }: { from: bigint; to: bigint; bytes: Buffer }): string {
  return `${from}..${to} ${bytes.toString('base64')}`;
}

function endOf(saved: ReadonlyMap<bigint, string>): bigint {
  const last = [...saved.keys()].at(-1);
  return last === undefined ? 0n : last + 3n;
}

/** What the test itself looks at is not part of the trial. */
async function unharmed<T>(disk: FaultyDisk, look: () => Promise<T>): Promise<T> {
  const { fault, calls } = disk;
  disk.fault = () => undefined;
  try {
    return await look();
  } finally {
    disk.fault = fault;
    disk.calls = calls;
  }
}

const takesSpace = /^(open|makeFolder|rename|link|file\.(write|sync))$/;

/** What may happen to the call of that number, and to those behind it. */
export const faults = new Map<string, (nth: number) => Fault>([
  ['an error, once', (nth) => ({ code: 'EIO', hits: ({ at }) => at === nth })],
  [
    'no room, once',
    // At the first call from there on that takes any.
    (nth) => ({
      code: 'ENOSPC',
      hits: ({ at, call, sinceMs }) => at >= nth && sinceMs === undefined && takesSpace.test(call),
    }),
  ],
  [
    'errors for three seconds',
    (nth) => ({
      code: 'EIO',
      hits: ({ at, sinceMs }) => (sinceMs === undefined ? at >= nth : sinceMs < 3000),
    }),
  ],
  [
    'no room for twenty seconds',
    (nth) => ({
      code: 'ENOSPC',
      hits: ({ at, call, sinceMs }) =>
        takesSpace.test(call) && (sinceMs === undefined ? at >= nth : sinceMs < 20_000),
    }),
  ],
  [
    'errors until the power goes',
    (nth) => ({ code: 'EIO', hits: ({ at }) => at >= nth, powerFailsAfterMs: 5000 }),
  ],
]);

export async function survive(name: string, nth: number): Promise<void> {
  const trial = new DiskTrial(faults.get(name)?.(nth));
  try {
    await trial.run();
    await trial.assertHolds();
  } catch (error) {
    const { call, path } = trial.struck ?? { call: 'no call', path: '' };
    throw new Error(`${name} from call ${nth} on: ${call} ${path}: ${String(error)}`, { cause: error });
  }
}
