import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { run } from './surroundings.ts';

test("version names this program's version, Node's and the Kafka client's", async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  const installed = JSON.parse(await readFile('node_modules/kafkajs/package.json', 'utf8'));
  const versions = { varve: version, node: process.versions.node, kafkajs: installed.version };

  expect(JSON.parse((await run(['version', '--json'])).stdout)).toEqual({
    schema: 'varve.version/1',
    ...versions,
  });
  expect((await run(['version'])).stdout).toBe(
    `varve    ${version}\nnode     ${versions.node}\nkafkajs  ${versions.kafkajs}\n`,
  );
  for (const argv of [['--version'], ['-V'], ['config', 'print', '--version']]) {
    expect(await run(argv)).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  }
});
