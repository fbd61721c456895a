import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** Makes the process believe that it is an older Node, before the launcher looks. */
const asOlderNode = `--import=data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.19.0'}})",
)}`;

describe('src/main.ts as a process', () => {
  test.each([
    [['--help'], 0],
    [['version'], 0],
    [['nonsense'], 2],
    [['config', 'validate', '--config', 'config/varve.yaml'], 0],
    [['config', 'validate', '--config', 'no-such-file.yaml'], 2],
  ])('%j ends with %i', async (argv, status) => {
    expect((await ended(started(['src/main.ts', ...argv]))).status).toBe(status);
  });

  test('a reader that goes away is no failure', async () => {
    const child = started(['src/main.ts', '--help']);
    child.stdout?.destroy();

    expect((await ended(child)).status).toBe(0);
  });

  test('the top-level help reads no command, no parser and no configuration', async () => {
    const child = started([`--import=${recordLoads}`, 'src/main.ts', '--help']);
    const { stderr } = await ended(child);
    const loaded = stderr.split('\n').filter((line) => line.startsWith('loaded '));

    expect(loaded.some((line) => line.endsWith('/src/cli/help.ts'))).toBe(true);
    expect(
      loaded.filter((line) => /yargs|zod|yaml|pino|kafkajs|cli\/(?:config|version)\.ts/.test(line)),
    ).toEqual([]);
  });
});

const recordLoads = `data:text/javascript,${encodeURIComponent(
  "import{registerHooks}from'node:module';registerHooks({load(u,c,n){process.stderr.write('loaded '+u+'\\n');return n(u,c)}})",
)}`;

describe('bin/varve.js', () => {
  let folder: string;
  let running: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'varve-launcher-'));
    await mkdir(join(folder, 'bin'));
    await mkdir(join(folder, 'src'));
    await copyFile('bin/varve.js', join(folder, 'bin/varve.js'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'src/main.ts'), program);
  });

  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL');
    running = [];
    await rm(folder, { recursive: true });
  });

  function launch(argv: readonly string[], options: { readonly older: boolean }): ChildProcess {
    const flags = options.older ? [asOlderNode] : [];
    const child = started([...flags, join(folder, 'bin/varve.js'), ...argv]);
    running.push(child);
    return child;
  }

  /** The `node` package as npm lays it down, its binary being the Node of this test and marking that it ran. */
  async function installNode(version: string): Promise<void> {
    const at = join(folder, 'node_modules/node');
    await mkdir(join(at, 'bin'), { recursive: true });
    await writeFile(
      join(at, 'package.json'),
      JSON.stringify({ name: 'node', version, bin: { node: 'bin/node' } }),
    );
    await writeFile(join(at, 'bin/node'), `#!/bin/sh\nINSTALLED=1 exec '${process.execPath}' "$@"\n`);
    await chmod(join(at, 'bin/node'), 0o755);
  }

  test('may be executed', async () => {
    expect((await stat('bin/varve.js')).mode & 0o777).toBe(0o755);
  });

  test('runs the program itself where Node is new enough', async () => {
    await installNode('24.21.0');
    const { status, stdout } = await ended(launch(['a', '--b'], { older: false }));

    expect(JSON.parse(stdout)).toEqual({ argv: ['a', '--b'], installed: false });
    expect(status).toBe(7);
  });

  test('runs the installed Node where it is not, and passes words, output and status on', async () => {
    await installNode('24.21.0');
    const { status, stdout } = await ended(launch(['a', '--b'], { older: true }));

    expect(JSON.parse(stdout)).toEqual({ argv: ['a', '--b'], installed: true });
    expect(status).toBe(7);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('passes %s on', async (signal) => {
    await installNode('24.21.0');
    const child = launch(['catch'], { older: true });
    await saysReady(child);
    child.kill(signal);

    expect((await ended(child)).stdout).toContain(`got ${signal}`);
  });

  test('ends with 128 and the number of the signal that killed the program', async () => {
    await installNode('24.21.0');
    const child = launch(['die'], { older: true });

    expect((await ended(child)).status).toBe(128 + 9);
  });

  test.each([
    ['nothing is installed', undefined],
    ['what is installed is too old', '22.0.0'],
  ])('says in one line what to do where %s', async (_, version) => {
    if (version !== undefined) await installNode(version);
    const { status, stdout, stderr } = await ended(launch([], { older: true }));

    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      'varve: needs Node 24.7 or later, and this is Node 20.19.0: run npm install here, or install a newer Node\n',
    );
  });
});

const program = `
const argv = process.argv.slice(2);
if (argv[0] === 'catch') {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => { process.stdout.write('got ' + signal + '\\n', () => process.exit(0)); });
  }
  setInterval(() => {}, 1000);
  process.stdout.write('ready\\n');
} else if (argv[0] === 'die') {
  process.kill(process.pid, 'SIGKILL');
} else {
  process.stdout.write(JSON.stringify({ argv, installed: process.env.INSTALLED === '1' }));
  process.exitCode = 7;
}
`;

function started(argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function saysReady(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error('no stdout');
  const [chunk] = await once(child.stdout, 'readable').then(() => [child.stdout?.read()]);
  if (!String(chunk).startsWith('ready')) throw new Error('expected ready');
}

async function ended(
  child: ChildProcess,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  const output = child.stdout.destroyed ? Promise.resolve('') : text(child.stdout);
  const [stdout, stderr, [status]] = await Promise.all([output, text(child.stderr), once(child, 'close')]);
  return { status, stdout, stderr };
}
