import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type JavaClient, type Kafka } from '../../scripts/kafka/kafka.ts';
import { placeFor, type Place } from '../restore/place.ts';
import { readTree, textOf } from '../tidy/tree.ts';

const password = 'secret';
let kafka: Kafka;
let java: JavaClient;
let place: Place;

beforeAll(async () => {
  kafka = await startKafka({
    sasl: true,
    properties: {
      'allow.everyone.if.no.acl.found': 'false',
      'listener.name.sasl.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required ' +
        `user_varve="${password}" user_varve-restore="${password}";`,
    },
  });
  java = await kafka.java();
  await java.createTopic({ topic: 'orders', partitions: 2, configs: { 'retention.ms': '86400000000' } });
  const records = Array.from({ length: 20 }, (_, index) => ({ partition: index % 2, value: `v${index}` }));
  await java.produce({ topic: 'orders', records });
  await java.commitOffsets({ group: 'billing', offsets: [{ topic: 'orders', partition: 0, offset: 7n }] });
  place = await placeFor(kafka, { name: 'varve', include: ['*'] });
  const passwordFile = join(place.folder, 'password');
  await writeFile(passwordFile, password);
  await place.configure({
    kafka: {
      brokers: [kafka.listeners.saslPlain],
      sasl: { mechanism: 'PLAIN', username: 'varve', passwordFile },
    },
  });
});
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
  await kafka?.stop();
});

/** The lines of docs/acls.md, each as a shell takes it apart. */
function documented(): string[][] {
  const lines = textOf(readTree(), 'docs/acls.md')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  return lines
    .filter((line) => line.startsWith('kafka-acls.sh '))
    .map((line) =>
      line
        .split(/\s+/)
        .slice(1)
        .map((word) => word.replaceAll("'", '')),
    );
}

async function acls(words: readonly string[]): Promise<void> {
  const at = words.map((word) => (word === 'kafka:9092' ? kafka.bootstrap : word));
  const { status, stdout, stderr } = await kafka.runTool('org.apache.kafka.tools.AclCommand', at);
  expect(status, stdout + stderr).toBe(0);
}

test('with the documented rights, and no other, a topic is backed up, and restored with its groups', async () => {
  const without = await place.run('backup');
  expect(without).toMatchObject({
    status: 3,
    stdout: expect.stringContaining('the right Describe on topics is missing'),
  });
  const lines = documented();
  expect(lines.length).toBeGreaterThan(4);
  for (const words of lines) await acls(words);

  const backup = await place.json('backup');
  const doctor = await place.run('doctor');
  const before = await java.consumeLines({ topic: 'orders' });
  await java.deleteTopic('orders');
  const as = ['--set', 'kafka.sasl.username=varve-restore'];
  const restored = await place.run('restore', '--topic', 'orders', '--yes', ...as);

  expect(backup).toMatchObject({ status: 0 });
  expect(doctor).toMatchObject({ status: 0 });
  expect(restored).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('group billing: 1 offset set'),
  });
  expect(await java.consumeLines({ topic: 'orders' })).toEqual(before);
  expect(await java.describeConfigs('orders')).toEqual({ 'retention.ms': '86400000000' });
  expect(await java.listGroupOffsets('billing')).toMatchObject([{ partition: 0, offset: 7n }]);

  // The group had no offset any more: to take it away again needs a right of its own.
  const back = await place.run('groups', 'rollback', '--yes', ...as);
  expect(back).toMatchObject({ status: 3, stdout: expect.stringContaining('lacks the right Delete') });
  expect(await place.json('backup')).toMatchObject({ status: 0 });
  const emptied = await place.run('restore', '--topic', 'orders', '--empty', '--yes', ...as);
  expect(emptied, emptied.stderr).toMatchObject({ status: 0 });
  expect(await java.listGroupOffsets('billing')).toMatchObject([{ partition: 0, offset: 17n }]);
});

test.each([
  ['varve-restore', 'Create', 'topic', 'restore --topic orders --to-topic other --yes', 17, /CREATE/],
  ['varve', 'DescribeConfigs', 'topic', 'backup', 3, /DESCRIBE_CONFIGS on topic orders/],
  ['varve', 'Read', 'topic', 'backup', 3, /orders\/0: .*lacks a right on the topic: Read/],
])(
  '%s without %s on a %s: the message of %s names it',
  async (user, operation, resource, line, status, named) => {
    const right = ['--allow-principal', `User:${user}`, '--operation', operation, `--${resource}`, '*'];
    await acls(['--bootstrap-server', 'kafka:9092', '--remove', '--force', ...right]);
    const end = await place.run(...line.split(' '), '--set', `kafka.sasl.username=${user}`);
    expect(end.status).toBe(status);
    expect(end.stdout + end.stderr).toMatch(named);
  },
);
