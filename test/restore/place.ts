import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandEnd } from '../../scripts/demo/varve.ts';
import type { Kafka } from '../../scripts/kafka/kafka.ts';
import { varveHere } from '../cli/here.ts';

/** A configuration, a local folder and a repository of their own, and the command line in them. */
export interface Place extends AsyncDisposable {
  readonly folder: string;
  readonly local: string;
  readonly repository: string;
  run(...words: string[]): Promise<CommandEnd>;
  /** The last line of a command's JSON. */
  json(...words: string[]): Promise<Record<string, unknown> & { status: number | null; stderr: string }>;
  configure(more: object): Promise<void>;
}

export async function placeFor(
  kafka: Kafka,
  o: { name: string; include: readonly string[]; more?: object },
): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'varve-restore-'));
  const local = join(folder, 'local');
  const repository = join(folder, 'repository');
  const configure = async (more: object): Promise<void> => {
    const config = {
      name: o.name,
      kafka: { brokers: kafka.bootstrap.split(',') },
      topics: { include: o.include },
      local: { dir: local, minFree: '16MiB' },
      repository: { dir: repository, keyFile: join(folder, 'key') },
      observe: { port: 0 },
      ...more,
    };
    await writeFile(join(folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  };
  await writeFile(join(folder, 'key'), randomBytes(32));
  await configure(o.more ?? {});
  const place: Place = {
    folder,
    local,
    repository,
    configure,
    run: async (...words) => varveHere(words, { cwd: folder }),
    async json(...words) {
      const { status, stdout, stderr } = await varveHere([...words, '--json'], { cwd: folder });
      const last = stdout.trimEnd().split('\n').at(-1) ?? '';
      if (last === '') throw new Error(`${words.join(' ')} ended with ${status}: ${stderr}`);
      return { ...JSON.parse(last), status, stderr };
    },
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
  const made = await place.json('init');
  if (made.status !== 0) throw new Error(`init ended with ${made.status}: ${made.stderr}`);
  return place;
}

/** With everything in its backup that the cluster has of these topics now. */
export async function backedUp(
  kafka: Kafka,
  name: string,
  include: readonly string[] = [name],
): Promise<Place> {
  const place = await placeFor(kafka, { name, include });
  const { status, stderr } = await place.json('backup');
  if (status !== 0) throw new Error(`backup ended with ${status}: ${stderr}`);
  return place;
}
