import { loadConfig } from '../../src/config/config.ts';
import { openSink, type CatchUpReport, type DaemonEvent } from '../../src/daemon/daemon.ts';
import { systemHost, type Disk, type DiskFile, type Host } from '../../src/host/host.ts';
import type { Sink } from '../../src/sink/sink.ts';
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backup } from './backup.ts';
import { until } from './processes.ts';

type EventType = DaemonEvent['type'];

/** A sink in this process, so that its disk and its clock can be meddled with. */
export class Opened implements AsyncDisposable {
  readonly sink: Sink;
  readonly events: DaemonEvent[];
  readonly #dispose: () => Promise<void>;

  private constructor(sink: Sink, events: DaemonEvent[], dispose: () => Promise<void>) {
    this.sink = sink;
    this.events = events;
    this.#dispose = dispose;
  }

  static async of(backup: Backup, o: { mode: 'catch-up' | 'follow'; host?: Partial<Host> }): Promise<Opened> {
    const { config } = await loadConfig(
      { file: join(backup.folder, 'varve.yaml'), needs: ['kafka.brokers', 'local.dir'] },
      { env: {}, cwd: backup.folder, readText: async (path) => readFile(path, 'utf8') },
    );
    const events: DaemonEvent[] = [];
    const opened = await openSink({
      config,
      host: { ...systemHost, ...o.host },
      emit: (event) => events.push(event),
      mode: o.mode,
      signal: new AbortController().signal,
    });
    return new Opened(opened.sink, events, async () => opened[Symbol.asyncDispose]());
  }

  async catchUp(): Promise<CatchUpReport> {
    return this.sink.catchUp();
  }

  async told<T extends EventType>(type: T, from = 0): Promise<Extract<DaemonEvent, { type: T }>> {
    const find = (): DaemonEvent | undefined => this.events.slice(from).find((event) => event.type === type);
    await until(`the event ${type}`, async () => find() !== undefined);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- found by its type
    return find() as Extract<DaemonEvent, { type: T }>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispose();
  }
}

/** The real clock, moved forward: what waits for a time that has come by then runs at once. */
export class MovedClock {
  #movedMs = 0;
  readonly #waiting = new Map<() => void, number>();

  nowMs(): number {
    return Date.now() + this.#movedMs;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const finish = (): void => {
      clearTimeout(timeout);
      this.#waiting.delete(finish);
      run();
    };
    const timeout = setTimeout(finish, delayMs);
    this.#waiting.set(finish, this.nowMs() + delayMs);
    return {
      cancel: () => {
        clearTimeout(timeout);
        this.#waiting.delete(finish);
      },
    };
  }

  move(byMs: number): void {
    this.#movedMs += byMs;
    for (const [run, atMs] of this.#waiting) if (atMs <= this.nowMs()) run();
  }
}

type FileCall = 'open' | 'write' | 'sync';

/** The real disk, some of whose calls fail when told to, and which knows how much of each file was synced. */
export class RefusingDisk {
  /** The error code with which a call ends, if any. */
  refuse: (call: FileCall, path: string) => string | undefined = () => undefined;
  freeBytes = 2 ** 40;
  /** How much of each file that was opened to be written would outlive a power cut. */
  readonly syncedBytes = new Map<string, number>();
  readonly disk: Disk;
  /** Files that a sync failed for: what was waiting for it is gone, and no later sync brings it back. */
  readonly #dropped = new Set<string>();
  #looks = 0;
  #refusals = 0;

  constructor() {
    const open = async (path: string, mode: 'read' | 'create' | 'update'): Promise<DiskFile> => {
      if (mode === 'create') this.#call('open', path);
      const file = await systemHost.disk.open(path, mode);
      if (mode === 'create') this.syncedBytes.set(path, 0);
      return this.#watched(file, path);
    };
    const rename = async (from: string, to: string): Promise<void> => {
      await systemHost.disk.rename(from, to);
      const synced = this.syncedBytes.get(from);
      this.syncedBytes.delete(from);
      if (synced !== undefined) this.syncedBytes.set(to, synced);
    };
    const removeFile = async (path: string): Promise<void> => {
      await systemHost.disk.removeFile(path);
      this.syncedBytes.delete(path);
    };
    const freeBytes = async (): Promise<number> => {
      this.#looks += 1;
      return this.freeBytes;
    };
    this.disk = { ...systemHost.disk, open, rename, removeFile, freeBytes };
  }

  /** Takes what was not synced. The names of files outlive it. */
  async powerCut(): Promise<void> {
    for (const [path, byteLength] of this.syncedBytes) await truncate(path, byteLength);
  }

  /** Resolves when the room on it was asked for so many times more. */
  async looks(count: number): Promise<void> {
    const enough = this.#looks + count;
    await until(`${count} looks at the disk`, async () => this.#looks >= enough);
  }

  /** Resolves when it has refused so many times more; time goes by ten times as fast. */
  async refused(count: number, clock: MovedClock): Promise<void> {
    const enough = this.#refusals + count;
    await until(`${count} refusals`, async () => {
      clock.move(200);
      return this.#refusals >= enough;
    });
  }

  #call(call: FileCall, path: string): void {
    const code = this.refuse(call, path);
    if (code === undefined) return;
    this.#refusals += 1;
    throw Object.assign(new Error(`${code}: ${call} ${path}`), { code });
  }

  #callSync(path: string): void {
    try {
      this.#call('sync', path);
    } catch (error) {
      this.#dropped.add(path);
      throw error;
    }
  }

  #watched(file: DiskFile, path: string): DiskFile {
    return {
      read: async (buffer, position) => file.read(buffer, position),
      readOnce: async (buffer, position) => file.readOnce(buffer, position),
      write: async (buffers, position) => {
        this.#call('write', path);
        await file.write(buffers, position);
      },
      truncate: async (byteLength) => {
        await file.truncate(byteLength);
        const synced = this.syncedBytes.get(path) ?? 0;
        this.syncedBytes.set(path, Math.min(synced, byteLength));
        if (byteLength <= synced) this.#dropped.delete(path);
      },
      byteLength: async () => file.byteLength(),
      sync: async () => {
        this.#callSync(path);
        const byteLength = await file.byteLength();
        await file.sync();
        if (!this.#dropped.has(path)) this.syncedBytes.set(path, byteLength);
      },
      close: async () => file.close(),
    };
  }
}
