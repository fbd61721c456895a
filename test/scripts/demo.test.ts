import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const demo = fileURLToPath(new URL('../../scripts/demo/main.ts', import.meta.url));

/** Signalled once its output matches. */
async function demoEnd(o: { env?: Record<string, string>; words?: string[]; until?: RegExp }) {
  const child = spawn(process.execPath, [demo, ...(o.words ?? [])], {
    env: { ...process.env, ...o.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let isTold = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (isTold || o.until?.test(said) !== true) return;
      isTold = true;
      child.kill('SIGINT');
    });
  }
  const [status] = await once(child, 'close');
  return { status: Number(status), said };
}

test('the demo says in one line what the machine lacks', async () => {
  const bare = await demoEnd({ env: { PATH: '/nowhere' } });
  expect(bare.status).toBe(1);
  expect(bare.said).toMatch(/^demo: missing on the PATH: a Java 17 JDK .*apt-get install .*\n$/);
  const home = await demoEnd({ env: { KAFKA_HOME: '/nowhere' } });
  expect(home.said).toMatch(/^demo: KAFKA_HOME is \/nowhere: expected .*\n$/);
  expect((await demoEnd({ words: ['--borkers', 'a:1'] })).said).toMatch(
    /^demo: Unknown option '--borkers'.*\n$/,
  );
});

test('the demo, interrupted while its daemon runs, takes everything away', async () => {
  const end = await demoEnd({ until: /page for people: \S+\n/ });
  const folder = /made: local folder (\S+)\/local/.exec(end.said)?.[1] ?? '';
  const address = /page for people: (\S+)/.exec(end.said)?.[1] ?? '';
  expect(end.said).toMatch(/stopped; everything that it made is gone\n$/);
  expect(end.status).toBe(130);
  expect(folder).not.toBe('');
  expect(existsSync(folder)).toBe(false);
  await expect(fetch(address)).rejects.toThrow(/fetch failed/);
});
