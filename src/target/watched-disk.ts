import { steadyMs, type Clock, type Disk, type DiskFile } from '../host/host.ts';

/** Knows how long the oldest call to the disk has not returned: the event loop lives on while a mount hangs. */
export class WatchedDisk {
  readonly disk: Disk;
  readonly #clock: Clock;
  readonly #pending = new Map<symbol, { readonly call: string; readonly sinceMs: number }>();

  constructor(disk: Disk, clock: Clock) {
    this.#clock = clock;
    this.disk = this.#watched(disk);
  }

  get oldest(): { readonly pendingMs: number; readonly call: string | undefined } {
    const [first] = this.#pending.values();
    if (first === undefined) return { pendingMs: 0, call: undefined };
    return { pendingMs: steadyMs(this.#clock) - first.sinceMs, call: first.call };
  }

  async #call<T>(call: string, run: () => Promise<T>): Promise<T> {
    const key = Symbol(call);
    this.#pending.set(key, { call, sinceMs: steadyMs(this.#clock) });
    try {
      return await run();
    } finally {
      this.#pending.delete(key);
    }
  }

  #watched(disk: Disk): Disk {
    const watch = async <T>(call: string, run: () => Promise<T>): Promise<T> => this.#call(call, run);
    return {
      open: async (path, mode) =>
        this.#file(await watch(`open ${path}`, async () => disk.open(path, mode)), path),
      makeFolder: async (path) => watch(`mkdir ${path}`, async () => disk.makeFolder(path)),
      list: async (path) => watch(`list ${path}`, async () => disk.list(path)),
      stat: async (path) => watch(`stat ${path}`, async () => disk.stat(path)),
      readFile: async (path) => watch(`read ${path}`, async () => disk.readFile(path)),
      rename: async (from, to) => watch(`rename ${from}`, async () => disk.rename(from, to)),
      link: async (existing, fresh) => watch(`link ${existing}`, async () => disk.link(existing, fresh)),
      makeSymlink: async (target, path) =>
        watch(`symlink ${path}`, async () => disk.makeSymlink(target, path)),
      readSymlink: async (path) => watch(`readlink ${path}`, async () => disk.readSymlink(path)),
      setMode: async (path, mode) => watch(`chmod ${path}`, async () => disk.setMode(path, mode)),
      removeFile: async (path) => watch(`remove ${path}`, async () => disk.removeFile(path)),
      removeFolder: async (path) => watch(`rmdir ${path}`, async () => disk.removeFolder(path)),
      syncFolder: async (path) => watch(`fsync ${path}`, async () => disk.syncFolder(path)),
      freeBytes: async (path) => watch(`statfs ${path}`, async () => disk.freeBytes(path)),
    };
  }

  #file(file: DiskFile, path: string): DiskFile {
    const watch = async <T>(call: string, run: () => Promise<T>): Promise<T> =>
      this.#call(`${call} ${path}`, run);
    return {
      read: async (buffer, position) => watch('read', async () => file.read(buffer, position)),
      readOnce: async (buffer, position) => watch('read', async () => file.readOnce(buffer, position)),
      write: async (buffers, position) => watch('write', async () => file.write(buffers, position)),
      truncate: async (byteLength) => watch('truncate', async () => file.truncate(byteLength)),
      byteLength: async () => watch('fstat', async () => file.byteLength()),
      sync: async () => watch('fsync', async () => file.sync()),
      close: async () => watch('close', async () => file.close()),
    };
  }
}
