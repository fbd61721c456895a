import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { varve, type CommandEnd } from '../../scripts/demo/varve.ts';
import { varveHere } from '../cli/here.ts';
import { keyOf, Store } from '../snapshot/given.ts';

const run = promisify(execFile);

/** A store whose repository is on a small file system of its own, mounted for the test. */
class Small implements AsyncDisposable {
  readonly store: Store;

  private constructor(store: Store) {
    this.store = store;
  }

  static async mount(megabytes: number): Promise<Small> {
    const store = await Store.make();
    await mkdir(join(store.folder, 'volume'));
    await run('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${megabytes}m`,
      'varve-test',
      join(store.folder, 'volume'),
    ]);
    const small = new Small(store);
    const config = {
      kafka: { brokers: ['127.0.0.1:1'] },
      local: { dir: store.local, minFree: '1MiB' },
      repository: { dir: join(small.volume, 'repository'), keyFile: store.keyFile },
    };
    await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
    await writeFile(
      join(store.local, 'varve.json'),
      JSON.stringify({
        format: 1,
        installation: store.installation,
        instance: 'main',
        cluster: 'k3PN8zE1QCa7mL0rT5wXyA',
        repository: null,
      }),
    );
    expect(await small.run('init')).toMatchObject({ status: 0 });
    return small;
  }

  get volume(): string {
    return join(this.store.folder, 'volume');
  }

  async run(...words: string[]): Promise<CommandEnd> {
    return await varveHere(words, { cwd: this.store.folder });
  }

  async remount(options: string): Promise<void> {
    await run('mount', ['-o', `remount,${options}`, this.volume]);
  }

  async unmount(): Promise<void> {
    await run('umount', [this.volume]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount().catch(() => undefined); // some tests have done it
    await this.store[Symbol.asyncDispose]();
  }
}

test('a target that is full is 14 with a hint; what was published stays, and with room it goes on', async () => {
  await using at = await Small.mount(3);
  const { store } = at;
  await store.append(keyOf('orders'), 100);
  expect(await at.run('snapshot')).toMatchObject({ status: 3 });
  await store.append(keyOf('orders'), 12_000, { valueBytes: 1000 });

  const full = await at.run('snapshot');
  expect(full).toMatchObject({
    status: 14,
    stderr: expect.stringContaining('hint: make room on the target'),
  });
  expect(await at.run('verify', '--deep')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('whole: 1 snapshot'),
  });
  await at.remount('size=30m');
  expect(await at.run('snapshot')).toMatchObject({ status: 3 });
  expect(await at.run('verify', '--deep')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('whole: 2 snapshots'),
  });
});

test('a target that is read only is 13 with a hint for who writes, and whole for who reads', async () => {
  await using at = await Small.mount(10);
  await at.store.append(keyOf('orders'), 100);
  expect(await at.run('snapshot')).toMatchObject({ status: 3 });
  await at.remount('ro');

  expect(await at.run('snapshot')).toMatchObject({ status: 13, stderr: expect.stringContaining('hint: ') });
  expect(await at.run('doctor')).toMatchObject({ status: 13 });
  for (const words of [
    ['list'],
    ['list', 'latest'],
    ['verify'],
    ['verify', '--deep'],
    ['cat', '--topic', 'orders', '--snapshot', 'latest'],
  ])
    expect(await at.run(...words), words.join(' ')).toMatchObject({ status: 0 });
  await at.remount('rw');
  expect(await at.run('snapshot')).toMatchObject({ status: 3 });
});

test('a volume that has vanished is 13, and info still tells how long the local disk lasts', async () => {
  await using at = await Small.mount(10);
  await at.store.append(keyOf('orders'), 100);
  expect(await at.run('snapshot')).toMatchObject({ status: 3 });
  await at.unmount();
  await at.store.append(keyOf('orders'), 100);

  expect(await at.run('snapshot')).toMatchObject({
    status: 13,
    stderr: expect.stringContaining('mount the volume'),
  });
  const reading = [
    'list',
    'check',
    'verify',
    'doctor',
    'cat --topic orders --snapshot latest',
    'export latest copy',
  ];
  for (const words of [...reading, 'key list', 'expire --dry-run', 'pin latest']) {
    const { folder } = at.store;
    const end = await varveHere(words.split(' '), { cwd: folder });
    expect({ words, ...end }).toMatchObject({ words, status: 13 });
    expect(end.stdout + end.stderr, words).toContain('mount the volume of repository.dir');
    await mkdir(join(at.volume, 'repository'), { recursive: true }); // not there for the first, empty for the others
  }
  expect((await at.run('info')).stdout).toMatch(
    /not in a snapshot yet: 1 segment.*\n(.*\n)*local room: .* if the target is away, about /,
  );
});

test('a passphrase opens a repository, and no process shows it', async () => {
  await using store = await Store.make();
  const phrase = `secret-${randomBytes(8).toString('hex')}`;
  await writeFile(join(store.folder, 'phrase'), `${phrase}\n`);
  const config = {
    repository: { dir: join(store.folder, 'repository'), passphraseFile: join(store.folder, 'phrase') },
    local: { dir: store.local },
  };
  await writeFile(join(store.folder, 'varve.yaml'), JSON.stringify(config)); // JSON is YAML
  const making = varve(['init', '--json'], { cwd: store.folder });
  const ended = { is: false };
  void making.finally(() => {
    ended.is = true;
  });
  let looks = 0;
  for (; !ended.is; looks += 1) {
    const everything = 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" || true';
    const { stdout } = await run('sh', ['-c', everything], { maxBuffer: 2 ** 26 });
    expect(stdout.includes(phrase)).toBe(false);
  }
  expect(await making).toMatchObject({ status: 0 });
  expect(looks).toBeGreaterThan(1);
  expect(await varveHere(['list'], { cwd: store.folder })).toMatchObject({ status: 0 });
  await writeFile(join(store.folder, 'phrase'), 'another\n');
  expect(await varveHere(['list'], { cwd: store.folder })).toMatchObject({ status: 12 });
});
