import { join } from 'node:path';
import { expect, test } from 'vitest';
import { batchOf, here, orders, save } from './on-disk.ts';

const clock = { nowMs: () => Date.UTC(2026, 10, 5), after: () => ({ cancel: () => undefined }) };
const payments = { ...orders, topic: 'payments', partition: 3 };

async function withGaps() {
  const at = await here();
  await save(at.folder, orders, [batchOf(0n, ['a']), { from: 1n, to: 5n }, batchOf(5n, ['b'])], { clock });
  await save(at.folder, payments, [{ from: 0n, to: 2n ** 60n }], { clock });
  return at;
}

test('gaps are listed with exact offsets, and which are new', async () => {
  await using at = await withGaps();
  const plain = await at.run(['gaps', 'list']);
  const { stdout } = await at.run(['gaps', 'list', '--json']);

  expect(plain.status).toBe(0);
  expect(plain.stdout).toContain(`2 new gaps in ${at.folder}\n`);
  expect(plain.stdout).toMatch(/^new +orders\/0 +offsets 1 to 4, 4 in all, met 2026-11-05T/m);
  expect(JSON.parse(stdout)).toEqual({
    schema: 'varve.gaps/1',
    new: 2,
    gaps: [
      { ...orders, from: '1', to: '5', at: '2026-11-05T00:00:00.000Z', accepted: false },
      { ...payments, from: '0', to: '1152921504606846976', at: '2026-11-05T00:00:00.000Z', accepted: false },
    ],
  });
});

test('accepted gaps are new no more, and stay listed under --all', async () => {
  await using at = await withGaps();
  const accept = await at.run(['gaps', 'accept', '--topic', 'orders', '--yes', '--json']);
  const list = JSON.parse((await at.run(['gaps', 'list', '--json'])).stdout);
  const all = JSON.parse((await at.run(['gaps', 'list', '--all', '--json'])).stdout);

  expect(accept.status).toBe(0);
  expect(JSON.parse(accept.stdout)).toMatchObject({
    schema: 'varve.gaps-accept/1',
    dryRun: false,
    accepted: [{ topic: 'orders', from: '1' }],
  });
  expect(list).toMatchObject({ new: 1, gaps: [{ topic: 'payments', accepted: false }] });
  expect(all).toMatchObject({
    new: 1,
    gaps: [
      { topic: 'orders', accepted: true },
      { topic: 'payments', accepted: false },
    ],
  });
  expect((await at.run(['gaps', 'list'])).stdout).toContain('1 new gap, 1 accepted');
});

test('a gap of a topic that was accepted for another is still new', async () => {
  await using at = await withGaps();
  await at.run(['gaps', 'accept', '--yes']);
  await save(at.folder, orders, [{ from: 6n, to: 9n }]);

  expect(JSON.parse((await at.run(['gaps', 'list', '--json'])).stdout)).toMatchObject({
    new: 1,
    gaps: [{ from: '6', to: '9' }],
  });
});

test('the plan comes before the question, and no leaves all as it was', async () => {
  await using at = await withGaps();
  const asked: string[] = [];
  const terminal = { stdin: true, stdout: true, stderr: true, columns: 80 };
  const readLine = async (prompt: string) => {
    asked.push(prompt);
    return 'n';
  };
  const { status, stdout, stderr } = await at.run(['gaps', 'accept'], { terminal, readLine });

  expect(status).toBe(18);
  expect(asked).toEqual(['Accept 2 gaps? [y/N] ']);
  expect(stdout).toContain('offsets 1 to 4');
  expect(stderr).toContain('nothing was accepted');
  expect(JSON.parse((await at.run(['gaps', 'list', '--json'])).stdout).new).toBe(2);
});

test('without a terminal somebody must say --yes; --dry-run needs nobody', async () => {
  await using at = await withGaps();
  const dry = await at.run(['gaps', 'accept', '--dry-run', '--json']);

  expect((await at.run(['gaps', 'accept'])).status).toBe(2);
  expect(dry.status).toBe(0);
  expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, accepted: [{}, {}] });
  expect(JSON.parse((await at.run(['gaps', 'list', '--json'])).stdout).new).toBe(2);
});

test('with nothing to accept nothing is asked', async () => {
  await using at = await here();
  await save(at.folder, orders, []);

  expect(await at.run(['gaps', 'accept'])).toMatchObject({ status: 0, stdout: 'no new gap to accept\n' });
});

test('a topic, or a folder, that is not there is not taken for one without gaps', async () => {
  await using at = await withGaps();
  const env = { VARVE_LOCAL_DIR: join(at.folder, 'none') };

  expect((await at.run(['gaps', 'accept', '--topic', 'order', '--yes'])).status).toBe(15);
  expect((await at.run(['gaps', 'list'], { env })).status).toBe(13);
});
