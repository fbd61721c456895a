import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { varve } from '../../scripts/demo/varve.ts';
import type { Kafka } from '../../scripts/kafka/kafka.ts';

export interface Installed<Target> extends AsyncDisposable {
  readonly folder: string;
  readonly target: Target;
}

/** An installation that follows one topic, whose repository is behind a mount; the mount goes with it. */
export async function installed<Target extends AsyncDisposable & { readonly folder: string }>(
  kafka: Kafka,
  o: { name: string; target: Target; more?: object },
): Promise<Installed<Target>> {
  const { name, target } = o;
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'varve-hang-'));
  opened.defer(async () => rm(folder, { recursive: true, force: true }));
  opened.use(target);
  const settings = {
    name,
    kafka: { brokers: kafka.bootstrap.split(',') },
    topics: { include: [name] },
    local: { dir: join(folder, 'local'), minFree: '16MiB' },
    repository: { dir: join(target.folder, 'repository'), keyFile: join(folder, 'key') },
    observe: { port: 0 },
    ...o.more,
  };
  await writeFile(join(folder, 'key'), randomBytes(32));
  await writeFile(join(folder, 'varve.yaml'), JSON.stringify(settings)); // JSON is YAML
  expect(await varve(['init'], { cwd: folder })).toMatchObject({ status: 0 });
  const all = opened.move();
  return { folder, target, [Symbol.asyncDispose]: async () => all.disposeAsync() };
}
