import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { configReference } from '../../scripts/docs/config.ts';
import { configKeys, loadConfig } from '../../src/config/config.ts';

test('docs/config.md is what the schema says', async () => {
  expect(await readFile('docs/config.md', 'utf8')).toBe(await configReference());
});

test("the schema holds every key of the contract's table", async () => {
  const cluster = [
    'brokers clientId rack ssl.enabled ssl.caFile ssl.certFile ssl.keyFile ssl.serverName sasl.mechanism sasl.username',
    'sasl.passwordFile sasl.tokenCommand sasl.oauth.tokenEndpoint sasl.oauth.clientId sasl.oauth.clientSecretFile',
    'sasl.oauth.scope',
  ].flatMap((line) => line.split(' '));
  const rest = [
    'name instance kafka.groupId topics.include topics.exclude local.dir local.segmentBytes local.keep local.minFree',
    'repository.dir repository.keyFile repository.passphraseFile repository.plainNames repository.level retain.hourly',
    'retain.daily retain.weekly retain.monthly retain.minimum retain.minAge archive.keep archive.topics.(name).keep',
    'verify.maxAge drill.schedule drill.topics drill.maxBytes observe.host observe.port observe.page observe.logLevel',
    'observe.ping sink.inFlightBytes cycle.schedule cycle.timezone cycle.onStart',
  ].flatMap((line) => line.split(' '));
  const secrets = ['sasl.password', 'sasl.oauth.clientSecret'];
  const wanted = [
    ...rest,
    ...['kafka', 'targets.(name)'].flatMap((at) => [...cluster, ...secrets].map((key) => `${at}.${key}`)),
  ];

  expect((await configKeys()).map(({ path }) => path).toSorted()).toEqual(wanted.toSorted());
});

test('the example configuration is whole as it stands', async () => {
  const { config } = await loadConfig(
    { file: 'config/varve.yaml', needs: ['kafka.brokers', 'local.dir', 'repository'] },
    { env: {}, cwd: process.cwd(), readText: (path) => readFile(path, 'utf8') },
  );

  expect(config.kafka.brokers).toEqual(['localhost:9092']);
});
