import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';
import { Daemon, seededRandom, standings } from './processes.ts';

/** `SEED=4711 ROUNDS=200 npx vitest run test/sink/crash.test.ts` soaks. */
const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
const rounds = Number(process.env['ROUNDS'] ?? 12);
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const partitions = 3;

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

test(
  `killed under load, and the broker with it: each record is saved once and no commit is ahead of the files (seed ${seed})`,
  { timeout: 120_000 + rounds * 60_000 },
  async () => {
    const random = seededRandom(seed);
    const java = await kafka.java();
    await java.createTopic({ topic: 'load', partitions, configs: { 'segment.bytes': '1048576' } });
    await java.createTopic({ topic: 'transactions' });
    await using backup = await Backup.of(kafka, {
      include: ['load', 'transactions'],
      segmentBytes: '1MiB',
      inFlightBytes: '4MiB',
    });
    let committedRounds = 0;
    let records = 0;
    for (let round = 0; round < rounds; round++) {
      await endTransactions(`${round}`);
      const load = new Load(round, Math.floor(20 + random() * 150));
      const daemon = Daemon.start(backup, '--log-level', 'debug');
      // The moment is what is tried here: somewhere between the start of the process and a few commits later.
      const killBroker = round % 4 === 3;
      const [first, second] = [random() * 2500, random() * 500];
      // On a slow machine no other round may come as far as a commit.
      if (round === 1) await daemon.logged('committed');
      await delay(first);
      const broker = kafka.brokers[0];
      if (killBroker) {
        await broker?.kill();
        await delay(second);
      }
      await daemon.kill();
      if (killBroker) await broker?.start();
      records += await load.end();
      const found = (await standings(kafka, backup, 'load')).concat(
        await standings(kafka, backup, 'transactions'),
      );
      for (const { committed, recovered, partition } of found) {
        expect({ round, partition, isAhead: committed > recovered }).toMatchObject({ isAhead: false });
      }
      if (found.some(({ committed }) => committed > 0n)) committedRounds += 1;
    }
    expect(committedRounds).toBeGreaterThan(0);
    expect(await backup.catchUp()).toMatchObject({ status: 0, gaps: [], missing: [] });
    expect(await expectExactFiles(backup, 'load')).toBe(records);
    expect(await backup.expectExact('transactions')).toBe(rounds * 2);
  },
);

/** The law, for more records than one answer of the Java client may hold. */
async function expectExactFiles(backup: Backup, topic: string): Promise<number> {
  const file = join(backup.folder, 'expected.jsonl');
  const { records } = await (await kafka.java()).consumeToFile({ topic, file });
  const expected = await readFile(file, 'utf8');
  const { stdout: found } = await backup.run('cat', '--topic', topic, '--json');
  if (found !== expected) {
    const [lines, due] = [found.split('\n'), expected.split('\n')];
    const at = due.findIndex((line, index) => line !== lines[index]);
    expect({ count: lines.length, line: lines[at] }).toEqual({ count: due.length, line: due[at] });
  }
  return records;
}

/** Two that interleave; the second is aborted. */
async function endTransactions(name: string): Promise<void> {
  const java = await kafka.java();
  const [kept, dropped] = [`kept-${name}`, `dropped-${name}`];
  for (const transactionalId of [kept, dropped]) await java.beginTransaction({ transactionalId });
  for (const transactionalId of [kept, dropped, kept]) {
    const records = [{ value: transactionalId }];
    await java.produce({ topic: 'transactions', transactionalId, records });
  }
  await java.abortTransaction(dropped);
  await java.commitTransaction(kept);
}

/** Produces without a pause until it is told to end. */
class Load {
  readonly #done: Promise<number>;
  #isEnding = false;

  constructor(round: number, size: number) {
    this.#done = this.#run(codecs[round % codecs.length] ?? 'none', size);
  }

  /** How many records it produced. */
  async end(): Promise<number> {
    this.#isEnding = true;
    return this.#done;
  }

  async #run(compression: (typeof codecs)[number], size: number): Promise<number> {
    const java = await kafka.java();
    const settings = { topic: 'load', partitions, size, compression, lingerMs: 10 };
    let records = 0;
    while (!this.#isEnding) {
      await java.produceLoad({ ...settings, records: 250, seed: records });
      records += 250;
    }
    return records;
  }
}
