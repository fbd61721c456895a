import { join } from 'node:path';
import { ensureFolder, type DiskFile, type Host } from '../host/host.ts';
import { restoresFolder } from '../restore/restore.ts';
import { escapeControls } from './output.ts';

/** `restores/<id>.log` beside the local files: what a terminal that went away would have shown. */
export class RestoreLog implements AsyncDisposable {
  readonly #host: Host;
  readonly #localFolder: string | undefined;
  #file: DiskFile | undefined;
  #at = 0;
  #lines: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(host: Host, localFolder: string | undefined) {
    this.#host = host;
    this.#localFolder = localFolder;
  }

  async begin(id: string): Promise<void> {
    if (this.#localFolder === undefined) return;
    const { disk } = this.#host;
    const folder = restoresFolder(this.#localFolder);
    await ensureFolder(disk, folder);
    const path = join(folder, `${id}.log`);
    const isThere = (await disk.stat(path)) !== undefined;
    this.#file = await disk.open(path, isThere ? 'update' : 'create');
    this.#at = isThere ? await this.#file.byteLength() : 0;
    this.#flush();
  }

  add(line: string): void {
    const at = new Date(this.#host.clock.nowMs()).toISOString();
    this.#lines.push(`${at} ${escapeControls(line)}\n`);
    if (this.#file !== undefined) this.#flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file?.close();
  }

  #flush(): void {
    const bytes = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    const position = this.#at;
    this.#at += bytes.length;
    // A log that cannot be written is no reason to stop a restore.
    this.#writing = this.#writing
      .then(async () => {
        await this.#file?.write([bytes], position);
      })
      .catch(() => undefined);
  }
}
