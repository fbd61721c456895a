import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { systemHost } from '../../src/host/host.ts';
import { takeTurn } from '../../src/target/turn.ts';

const { clock } = systemHost;
const waiting = { clock, waitMaxMs: 60_000 };

function freshName(): string {
  return `varve test ${process.pid} ${process.hrtime.bigint()}`;
}

test('one has the turn at a time; who gives it back lets the next one go on', async () => {
  const name = freshName();
  const order: string[] = [];
  const end = await takeTurn(name, waiting);
  const second = takeTurn(name, waiting).then((endSecond) => {
    order.push('second');
    return endSecond;
  });
  order.push('first');
  end();
  (await second)();
  expect(order).toEqual(['first', 'second']);
});

test('the turn of a process that was killed is free', async () => {
  const name = freshName();
  const folder = await mkdtemp(join(tmpdir(), 'varve-turn-'));
  const turn = fileURLToPath(new URL('../../src/target/turn.ts', import.meta.url));
  const host = fileURLToPath(new URL('../../src/host/host.ts', import.meta.url));
  const script = join(folder, 'holder.mjs');
  await writeFile(
    script,
    `import { takeTurn } from ${JSON.stringify(turn)};
     import { systemHost } from ${JSON.stringify(host)};
     await takeTurn(${JSON.stringify(name)}, { clock: systemHost.clock, waitMaxMs: 1000 });
     process.send('has it');
     process.on('message', () => undefined);`,
  );
  const holder = fork(script);
  await once(holder, 'message');
  const second = takeTurn(name, waiting);
  holder.kill('SIGKILL');
  (await second)();
  await rm(folder, { recursive: true });
});

test('nobody waits for ever', async () => {
  const name = freshName();
  let aheadMs = 0;
  const late = {
    nowMs: () => clock.nowMs() + (aheadMs += 10_000),
    after: (_delayMs: number, run: () => void) => clock.after(0, run),
  };
  const end = await takeTurn(name, waiting);
  const endOther = await takeTurn(name, { clock: late, waitMaxMs: 60_000 });
  endOther();
  end();
});
