import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonLines } from '../../src/cli/records.ts';
import { ExportBackup, readExport } from '../../src/exchange/exchange.ts';
import { systemHost } from '../../src/host/host.ts';
import { decodeRecords } from '../../src/log/log.ts';
import { planStretches, readMerged } from '../../src/restore/restore.ts';

export const quiet = {
  signal: new AbortController().signal,
  onRecords: (): void => undefined,
  onUnpacking: (): void => undefined,
};

/** A folder for what is exported: exports are refused within the local folder. */
export async function outFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'varve-export-'));
  return { path, [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }) };
}

export async function openExport(path: string): Promise<ExportBackup> {
  return new ExportBackup(systemHost.disk, await readExport(systemHost, path, quiet));
}

/** As `varve cat --json` prints the same records. */
export async function linesIn(path: string): Promise<string> {
  await using file = await readExport(systemHost, path, quiet);
  const backup = new ExportBackup(systemHost.disk, file);
  const lines: string[] = [];
  const times = { fromMs: undefined, toMs: undefined };
  for (const topic of backup.topics)
    for (const life of await backup.lives(topic))
      for (const { partition, copies } of life.partitions)
        for await (const { bytes, header } of readMerged(copies, planStretches(copies).stretches, times))
          for (const record of decodeRecords(bytes, header)) lines.push(jsonLines(topic, partition)(record));
  return lines.join('');
}

export interface Member {
  readonly name: string;
  readonly contents: Buffer;
  /** Of the header, in place of what belongs there. */
  readonly type?: string;
  readonly size?: Buffer | string;
  readonly link?: string;
}

/** A tar written here a second time, independently, and as wrong as it is asked to be. */
export function tarOf(members: readonly Member[], end = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([...members.flatMap((one) => [headerOf(one), padded(one.contents)]), end]);
}

export function headerOf({ name, contents, type = '0', size, link = '' }: Member): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000440\x000000000\x000000000\0', 100);
  const length = size ?? `${contents.length.toString(8).padStart(11, '0')}\0`;
  if (typeof length === 'string') header.write(length, 124, 12, 'latin1');
  else length.copy(header, 124);
  header.write('00000000000\0' + ' '.repeat(8) + type, 136);
  header.write(link, 157, 100);
  header.write('ustar\x0000', 257);
  return summed(header);
}

export function summed(header: Buffer): Buffer {
  header.write(' '.repeat(8), 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** The members of a tar without longer names. */
export async function membersIn(path: string): Promise<Member[]> {
  const tar = await readFile(path);
  const members: Member[] = [];
  for (let at = 0; tar[at] !== 0;) {
    const name = tar.toString('utf8', at, tar.indexOf(0, at));
    const length = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    members.push({ name, contents: tar.subarray(at + 512, at + 512 + length) });
    at += 512 + Math.ceil(length / 512) * 512;
  }
  return members;
}

/** With sums that match, so that nothing but the change itself is wrong. */
export function summedAgain(members: readonly Member[]): Member[] {
  const rest = members.filter(({ name }) => name !== sumsName);
  const lines = rest.map(
    ({ name, contents }) =>
      `${createHash('sha256').update(contents).digest('hex')}  ${name.replace(/^varve-export\//, '')}\n`,
  );
  return [...rest, { name: sumsName, contents: Buffer.from(lines.join('')) }];
}

export const sumsName = 'varve-export/SHA256SUMS';
export const documentName = 'varve-export/export.json';
