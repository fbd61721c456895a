import { basename, dirname } from 'node:path';
import type { Disk, DiskEntry, DiskFile, OpenMode } from '../../src/host/host.ts';

/**
 * A disk in memory that forgets as a real one may: contents until their file is synced, names until their folder is.
 * A sync that fails drops what was waiting while readers still see it, as the kernel does.
 */
interface FileNode {
  readonly kind: 'file';
  readonly inode: bigint;
  shown: Buffer;
  durable: Buffer;
  modifiedMs: number;
  /** What a sync would carry over, in order. */
  waiting: ((durable: Buffer) => Buffer)[];
}

interface FolderNode {
  readonly kind: 'folder';
  readonly inode: bigint;
  modifiedMs: number;
  readonly shown: Map<string, Node>;
  durable: Map<string, Node>;
}

interface SymlinkNode {
  readonly kind: 'symlink';
  readonly inode: bigint;
  readonly target: string;
}

interface Move {
  readonly node: FolderNode;
  readonly source: FolderNode;
  readonly target: FolderNode;
  readonly from: string;
  readonly to: string;
}

type Node = FileNode | FolderNode | SymlinkNode;

export type DiskCall = keyof Disk | `file.${keyof DiskFile}`;

export class FaultyDisk implements Disk {
  /** Every call so far, for a test that lets each of them fail in turn. */
  calls = 0;
  /** The error with which the next call ends, if any. A write that fails has written half. */
  fault: (call: DiskCall, path: string) => string | undefined = () => undefined;
  /** The error with which the next call ends after it has done its work, if any. */
  faultAfter: (call: DiskCall, path: string) => string | undefined = () => undefined;
  /** By which files are dated. */
  nowMs = Date.parse('2026-11-01T00:00:00Z');
  free = 2 ** 40;
  /** With this it answers every link, as a file system does that has none. */
  linkCode: string | undefined;
  #inodes = 0n;
  /** Counts power cuts: what was opened before one is gone. */
  #life = 0;
  readonly #root: FolderNode;
  /** Folders that were moved and whose move no sync has made durable: it is in both folders, or in neither. */
  #moves: Move[] = [];

  constructor(copied?: FaultyDisk) {
    this.#root = copied === undefined ? this.#newFolder() : copyOf(copied.#root);
    if (copied === undefined) return;
    this.nowMs = copied.nowMs;
    this.free = copied.free;
    this.linkCode = copied.linkCode;
    this.#inodes = copied.#inodes;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#called('open', path);
    const folder = this.#folder(dirname(path), 'open');
    const known = folder.shown.get(basename(path));
    if (mode !== 'create') {
      if (known === undefined) throw failure('ENOENT', 'open', path);
      if (known.kind === 'folder') throw failure('EISDIR', 'open', path);
      if (known.kind === 'symlink') throw failure('ELOOP', 'open', path);
      return this.#handle(known, path);
    }
    if (known !== undefined) throw failure('EEXIST', 'open', path);
    this.#inodes += 1n;
    const file: FileNode = {
      kind: 'file',
      inode: this.#inodes,
      shown: Buffer.alloc(0),
      durable: Buffer.alloc(0),
      waiting: [],
      modifiedMs: this.nowMs,
    };
    folder.shown.set(basename(path), file);
    folder.modifiedMs = this.nowMs;
    return this.#handle(file, path);
  }

  async makeFolder(path: string): Promise<boolean> {
    this.#called('makeFolder', path);
    const parent = this.#changing(dirname(path), 'mkdir');
    if (parent.shown.has(basename(path))) return false;
    parent.shown.set(basename(path), this.#newFolder());
    return true;
  }

  async list(path: string): Promise<DiskEntry[] | undefined> {
    this.#called('list', path);
    const node = this.#find(path);
    if (node === undefined) return undefined;
    if (node.kind !== 'folder') throw failure('ENOTDIR', 'scandir', path);
    return [...node.shown].map(([name, { kind }]) => ({ name, kind }));
  }

  async stat(path: string): ReturnType<Disk['stat']> {
    this.#called('stat', path);
    const node = this.#find(path);
    if (node === undefined) return undefined;
    const byteLength = node.kind === 'file' ? node.shown.length : 0;
    const modifiedMs = node.kind === 'symlink' ? this.nowMs : node.modifiedMs;
    const countLinks = (): number => this.#links(node);
    return {
      kind: node.kind,
      byteLength,
      inode: node.inode,
      device: 1n,
      // Counted for whoever asks: it goes through the whole tree.
      get links() {
        return countLinks();
      },
      owner: process.geteuid?.() ?? 0,
      modifiedMs,
    };
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    this.#called('readFile', path);
    const node = this.#find(path);
    if (node?.kind === 'folder') throw failure('EISDIR', 'read', path);
    if (node?.kind === 'symlink') throw failure('ELOOP', 'read', path);
    return node === undefined ? undefined : Buffer.from(node.shown);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#called('rename', from);
    const node = this.#existing(from, 'rename');
    const target = this.#changing(dirname(to), 'rename');
    const source = this.#changing(dirname(from), 'rename');
    const replaced = target.shown.get(basename(to));
    if (replaced?.kind === 'folder' && replaced.shown.size > 0) throw failure('ENOTEMPTY', 'rename', to);
    source.shown.delete(basename(from));
    target.shown.set(basename(to), node);
    if (node.kind === 'folder')
      this.#moves.push({ node, source, target, from: basename(from), to: basename(to) });
    this.#worked('rename', from);
  }

  async link(existing: string, fresh: string): Promise<void> {
    this.#called('link', existing);
    if (this.linkCode !== undefined) throw failure(this.linkCode, 'link', existing);
    const node = this.#existing(existing, 'link');
    const folder = this.#changing(dirname(fresh), 'link');
    if (folder.shown.has(basename(fresh))) throw failure('EEXIST', 'link', fresh);
    folder.shown.set(basename(fresh), node);
    this.#worked('link', existing);
  }

  async makeSymlink(target: string, path: string): Promise<void> {
    this.#called('makeSymlink', path);
    const folder = this.#changing(dirname(path), 'symlink');
    if (folder.shown.has(basename(path))) throw failure('EEXIST', 'symlink', path);
    this.#inodes += 1n;
    folder.shown.set(basename(path), { kind: 'symlink', inode: this.#inodes, target });
  }

  async readSymlink(path: string): Promise<string | undefined> {
    this.#called('readSymlink', path);
    const node = this.#find(path);
    if (node === undefined) return undefined;
    if (node.kind !== 'symlink') throw failure('EINVAL', 'readlink', path);
    return node.target;
  }

  async setMode(path: string, _mode: number): Promise<void> {
    this.#called('setMode', path);
    this.#existing(path, 'chmod');
  }

  async removeFile(path: string): Promise<void> {
    this.#called('removeFile', path);
    if (this.#existing(path, 'unlink').kind === 'folder') throw failure('EISDIR', 'unlink', path);
    this.#changing(dirname(path), 'unlink').shown.delete(basename(path));
  }

  async removeFolder(path: string): Promise<void> {
    this.#called('removeFolder', path);
    const node = this.#existing(path, 'rmdir');
    if (node.kind !== 'folder') throw failure('ENOTDIR', 'rmdir', path);
    if (node.shown.size > 0) throw failure('ENOTEMPTY', 'rmdir', path);
    this.#changing(dirname(path), 'rmdir').shown.delete(basename(path));
  }

  async syncFolder(path: string): Promise<void> {
    this.#called('syncFolder', path);
    const folder = this.#folder(path, 'open');
    folder.durable = new Map(folder.shown);
    this.#settleMoves((move) => move.source === folder || move.target === folder);
  }

  async freeBytes(path: string): Promise<number> {
    this.#called('freeBytes', path);
    return this.free;
  }

  /**
   * The machine goes off and on again. What was synced is there; of the rest, each name and each waiting write is
   * there or not as `survives` says.
   */
  powerCut(survives: () => boolean = () => false): void {
    this.#life += 1;
    for (const move of this.#moves) {
      if (survives()) this.#settleMoves((other) => other === move);
      else {
        move.target.shown.delete(move.to);
        move.source.shown.set(move.from, move.node);
      }
    }
    this.#moves = [];
    const seen = new Set<Node>();
    const cut = (node: Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.kind === 'file') {
        for (const write of node.waiting.splice(0)) if (survives()) node.durable = write(node.durable);
        node.shown = Buffer.from(node.durable);
        return;
      }
      if (node.kind === 'symlink') return;
      for (const name of new Set([...node.durable.keys(), ...node.shown.keys()])) {
        const kept = (survives() ? node.shown : node.durable).get(name);
        if (kept === undefined) node.shown.delete(name);
        else node.shown.set(name, kept);
      }
      node.durable = new Map(node.shown);
      for (const below of node.shown.values()) cut(below);
    };
    cut(this.#root);
  }

  /** Moving a folder is one change to two folders: what makes one of them durable takes the other along. */
  #settleMoves(isMeant: (move: Move) => boolean): void {
    for (const move of this.#moves.filter(isMeant)) {
      if (move.source.durable.get(move.from) === move.node) move.source.durable.delete(move.from);
      if (move.target.shown.get(move.to) === move.node) move.target.durable.set(move.to, move.node);
    }
    this.#moves = this.#moves.filter((move) => !isMeant(move));
  }

  #handle(node: FileNode, path: string): DiskFile {
    const life = this.#life;
    const called = (call: keyof DiskFile): void => {
      if (life !== this.#life) throw failure('EIO', call, path);
      this.#called(`file.${call}`, path);
    };
    const change = (apply: (bytes: Buffer) => Buffer): void => {
      node.shown = apply(node.shown);
      node.waiting.push(apply);
      node.modifiedMs = this.nowMs;
    };
    return {
      async read(buffer, position) {
        called('read');
        return node.shown.copy(buffer, 0, Math.min(position, node.shown.length));
      },
      async readOnce(buffer, position) {
        called('readOnce');
        return node.shown.copy(buffer, 0, Math.min(position, node.shown.length));
      },
      async write(buffers, position) {
        const bytes = Buffer.concat(buffers);
        try {
          called('write');
        } catch (error) {
          if (bytes.length > 1) change(writing(bytes.subarray(0, bytes.length >> 1), position));
          throw error;
        }
        change(writing(bytes, position));
      },
      async truncate(byteLength) {
        called('truncate');
        change((bytes) => resized(bytes, byteLength));
      },
      async byteLength() {
        called('byteLength');
        return node.shown.length;
      },
      async sync() {
        const waiting = node.waiting.splice(0);
        called('sync');
        for (const write of waiting) node.durable = write(node.durable);
      },
      close: async () => {
        called('close');
        this.#worked('file.close', path);
      },
    };
  }

  #called(call: DiskCall, path: string): void {
    this.calls += 1;
    const code = this.fault(call, path);
    if (code !== undefined) throw failure(code, call, path);
  }

  #worked(call: DiskCall, path: string): void {
    const code = this.faultAfter(call, path);
    if (code !== undefined) throw failure(code, call, path);
  }

  #links(wanted: Node): number {
    const count = (folder: FolderNode): number =>
      [...folder.shown.values()].reduce(
        (sum, node) => sum + (node === wanted ? 1 : 0) + (node.kind === 'folder' ? count(node) : 0),
        0,
      );
    return wanted.kind === 'file' ? count(this.#root) : 1;
  }

  #newFolder(): FolderNode {
    this.#inodes += 1n;
    return {
      kind: 'folder',
      inode: this.#inodes,
      modifiedMs: this.nowMs,
      shown: new Map(),
      durable: new Map(),
    };
  }

  #find(path: string): Node | undefined {
    let node: Node = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node.kind !== 'folder') throw failure('ENOTDIR', 'lookup', path);
      const next = node.shown.get(name);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  #existing(path: string, call: string): Node {
    const node = this.#find(path);
    if (node === undefined) throw failure('ENOENT', call, path);
    return node;
  }

  #changing(path: string, call: string): FolderNode {
    const folder = this.#folder(path, call);
    folder.modifiedMs = this.nowMs;
    return folder;
  }

  #folder(path: string, call: string): FolderNode {
    const node = this.#existing(path, call);
    if (node.kind !== 'folder') throw failure('ENOTDIR', call, path);
    return node;
  }
}

/** The same tree in new nodes; a file with two names stays one file. */
function copyOf(root: FolderNode): FolderNode {
  const copies = new Map<Node, Node>();
  const copy = (node: Node): Node => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    if (node.kind === 'folder') return copyFolder(node);
    const made = node.kind === 'file' ? { ...node, waiting: [...node.waiting] } : node;
    copies.set(node, made);
    return made;
  };
  const copyFolder = (folder: FolderNode): FolderNode => {
    const made: FolderNode = { ...folder, shown: new Map(), durable: new Map() };
    copies.set(folder, made);
    for (const [name, node] of folder.shown) made.shown.set(name, copy(node));
    for (const [name, node] of folder.durable) made.durable.set(name, copy(node));
    return made;
  };
  return copyFolder(root);
}

function failure(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} ${path}`), { code });
}

function resized(bytes: Buffer, byteLength: number): Buffer {
  return Buffer.concat([bytes.subarray(0, byteLength)], byteLength);
}

/** A write that lands behind the end leaves a hole of zeros, as when one before it was lost. */
function writing(bytes: Buffer, position: number): (before: Buffer) => Buffer {
  return (before) => {
    const after = resized(before, Math.max(before.length, position + bytes.length));
    bytes.copy(after, position);
    return after;
  };
}
