import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Kafka, startKafka } from '../../scripts/kafka/kafka.ts';
import { Backup } from './backup.ts';

let kafka: Kafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.stop());

test('a segment that is not what was written ends a backup with 4, stays as it is, and new records go behind it', async () => {
  const java = await kafka.java();
  await java.createTopic({ topic: 'bitten', partitions: 1 });
  const fill = async (): Promise<void> => {
    for (let batch = 0; batch < 3; batch += 1) {
      await java.produce({ topic: 'bitten', records: [{ partition: 0, value: `value ${batch}` }] });
    }
  };
  await using backup = await Backup.of(kafka, { include: ['bitten'] });
  await fill();
  expect(await backup.catchUp()).toMatchObject({ status: 0, records: 3 });
  const [segment] = await backup.segments('bitten');
  if (segment === undefined) throw new Error('no segment');
  const bytes = await readFile(segment.path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
  await writeFile(segment.path, bytes);

  await fill();
  const damaged = [{ topic: 'bitten', path: segment.path }];
  expect(await backup.catchUp()).toMatchObject({ status: 4, records: 3, damaged });
  expect((await readFile(segment.path)).equals(bytes)).toBe(true);
  expect(await backup.segments('bitten')).toHaveLength(2);
  expect(await backup.run('cat', '--topic', 'bitten', '--json')).toMatchObject({ status: 4 });
});
