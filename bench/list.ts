/**
 * Years of snapshots: `varve list` of so many, each of so many partitions, sealed by the project's own code.
 *
 *   npm run bench -- list [snapshots] [partitions]
 */
import { createHash } from 'node:crypto';
import { link, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatManifest, listSnapshots, openManifest, type Manifest } from '../src/repository/repository.ts';
import { formatSums } from '../src/snapshot/sums.ts';
import { dayMs, keyOf, Store } from '../test/snapshot/given.ts';
import { measure } from './measure.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export async function bench(words: readonly string[]): Promise<void> {
  const snapshots = Number(words[0] ?? 1000);
  const partitions = Number(words[1] ?? 3000);
  await using store = await Store.make();
  for (let topic = 0; topic < partitions; topic += 1) await store.append(keyOf(`topic-${topic}`), 10);
  await store.cycle();
  await repeatNewest(store, snapshots - 1);
  const file = join(store.folder, 'varve.yaml');
  const repository = { dir: store.target, keyFile: store.keyFile };
  await writeFile(file, JSON.stringify({ repository })); // JSON is YAML
  const runs = [];
  for (let run = 0; run < 3; run += 1)
    runs.push(await measure(process.execPath, [main, 'list', '--json', '--config', file]));
  const row = {
    load: `${snapshots} snapshots of ${partitions} partitions`,
    seconds: runs.map(({ seconds }) => round(seconds)),
    secondsAtMost: 2,
    residentMegabytes: Math.round(Math.max(...runs.map(({ peakMegabytes }) => peakMegabytes))),
    ofItsChild: Math.round(Math.max(...runs.map(({ childPeakMegabytes }) => childPeakMegabytes))),
    residentMegabytesAtMost: 256,
  };
  console.log(JSON.stringify(row, undefined, 2));
}

/** As nights without a new record leave it: manifests of their own, the packs hard-linked. */
async function repeatNewest(store: Store, count: number): Promise<void> {
  const repository = await store.open();
  const { ids } = await listSnapshots(store.host.disk, store.place);
  let { manifest, digest } = await openManifest(store.host.disk, repository, ids.at(-1) ?? '', {});
  for (let night = 1; night <= count; night += 1) {
    const takenMs = manifest.takenMs + dayMs;
    const id = `${new Date(takenMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-0000`;
    const next: Manifest = {
      ...manifest,
      id,
      seq: manifest.seq + 1,
      takenMs,
      previous: { id: manifest.id, digest },
    };
    const { instance } = next;
    const sealed = repository.seal(
      { kind: 'manifest', repository: next.repository, instance, snapshot: id, seq: BigInt(next.seq) },
      formatManifest(next),
    );
    const folder = join(store.target, instance, 'snapshots', id);
    digest = createHash('sha256').update(sealed).digest('hex');
    for (const { path } of next.packs) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await link(join(dirname(folder), manifest.id, path), join(folder, path));
    }
    await writeFile(join(folder, 'SHA256SUMS'), formatSums(next, digest));
    await writeFile(join(folder, 'manifest'), sealed);
    manifest = next;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
