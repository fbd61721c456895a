import { describe, expect, test } from 'vitest';
import { localFolderOf, repositoryFolderOf } from '../../src/config/config.ts';
import { loadGiven, problemsOf, type Given } from './given.ts';

const file = '/here/varve.yaml';

const nameOf = async (given: Given) => (await loadGiven(given)).config.name;

describe('where values come from', () => {
  test('without a file, an environment or flags every default is in force', async () => {
    const { config, origins, file: read } = await loadGiven({});

    expect(read).toBeUndefined();
    expect(config).toMatchObject({
      name: 'varve',
      instance: 'main',
      kafka: { brokers: [], clientId: 'varve', groupId: 'varve-varve', ssl: { enabled: false } },
      topics: { include: ['*'], exclude: [] },
      local: { segmentBytes: 268_435_456, keep: 35 * 86_400_000, minFree: 1_073_741_824 },
      repository: { plainNames: false, level: 3 },
      retain: { hourly: 0, daily: 7, weekly: 4, monthly: 12, minimum: 2, minAge: 86_400_000 },
      archive: { keep: 'forever', topics: {} },
      verify: { maxAge: 35 * 86_400_000 },
      drill: { topics: ['*'], maxBytes: 1_073_741_824 },
      observe: { host: '127.0.0.1', port: 8080, page: true, logLevel: 'info' },
      sink: { inFlightBytes: 67_108_864 },
      cycle: { schedule: '0 3 * * *', timezone: 'UTC', onStart: false },
    });
    expect(config.kafka.sasl).toBeUndefined();
    expect(config.drill.schedule).toBeUndefined();
    expect([...origins.values()].every(({ kind }) => kind === 'default')).toBe(true);
  });

  test('flags win over the environment, the environment over the file, and each value names its origin', async () => {
    const { config, origins } = await loadGiven({
      files: { [file]: 'name: a\nlocal:\n  segmentBytes: 1MiB\n  minFree: 1MiB\n  keep: 1d\n' },
      env: { VARVE_LOCAL_SEGMENT_BYTES: '2MiB', VARVE_LOCAL_MIN_FREE: '2MiB' },
      overrides: [{ path: 'local.minFree', value: '3MiB', flag: '--set' }],
    });

    expect(config.local).toMatchObject({ keep: 86_400_000, segmentBytes: 2 ** 21, minFree: 3 * 2 ** 20 });
    expect(origins.get('local.keep')).toEqual({ kind: 'file', file: './varve.yaml', line: 5 });
    expect(origins.get('local.segmentBytes')).toEqual({
      kind: 'environment',
      variable: 'VARVE_LOCAL_SEGMENT_BYTES',
    });
    expect(origins.get('local.minFree')).toEqual({ kind: 'flag', flag: '--set' });
    expect(origins.get('repository.level')).toEqual({ kind: 'default' });
  });

  test('--config wins over VARVE_CONFIG, that over ./varve.yaml, that over /etc/varve/varve.yaml', async () => {
    const files = {
      '/etc/varve/varve.yaml': 'name: etc',
      [file]: 'name: here',
      '/here/one.yaml': 'name: variable',
      '/two.yaml': 'name: flag',
    };

    expect(await nameOf({ files, env: { VARVE_CONFIG: 'one.yaml' }, file: '/two.yaml' })).toBe('flag');
    expect(await nameOf({ files, env: { VARVE_CONFIG: 'one.yaml' } })).toBe('variable');
    expect(await nameOf({ files })).toBe('here');
    expect(await nameOf({ files: { '/etc/varve/varve.yaml': 'name: etc' } })).toBe('etc');
  });

  test('a file that was named must exist, and must be readable', async () => {
    expect(await problemsOf({ file: 'no.yaml' })).toEqual(['no.yaml: there is no such configuration file']);
    expect(await problemsOf({ env: { VARVE_CONFIG: 'no.yaml' } })).toEqual([
      'no.yaml: there is no such configuration file',
    ]);
  });

  test('relative paths begin at the current directory', async () => {
    const { config } = await loadGiven({
      files: { [file]: 'local: {dir: ./data}\nrepository: {dir: /nfs, keyFile: ../key}\n' },
      needs: ['local.dir', 'repository'],
    });

    expect(localFolderOf(config)).toBe('/here/data');
    expect(repositoryFolderOf(config)).toBe('/nfs');
    expect(config.repository.keyFile).toBe('/key');
  });

  test('nothing in the result can be changed', async () => {
    const { config } = await loadGiven({ env: { VARVE_KAFKA_BROKERS: 'a:1' } });

    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.kafka)).toBe(true);
    expect(Object.isFrozen(config.kafka.brokers)).toBe(true);
    expect(Object.isFrozen(config.kafka.ssl)).toBe(true);
  });

  test('an empty file, an empty section and a key without a value count as absent', async () => {
    expect((await loadGiven({ files: { [file]: '' } })).config.name).toBe('varve');
    expect((await loadGiven({ files: { [file]: '# only this\n' } })).config.name).toBe('varve');
    expect((await loadGiven({ files: { [file]: 'kafka:\nlocal:\n  keep:\n' } })).config.local.keep).toBe(
      35 * 86_400_000,
    );
  });

  test('a topic of its own archive rule is a section, or just the rule', async () => {
    const { config, origins } = await loadGiven({
      files: { [file]: 'archive:\n  topics:\n    a.b: 13mo\n    months: {keep: 2y}\n    __proto__: 1mo\n' },
    });

    expect(config.archive.topics['a.b']).toEqual({ keep: { months: 13 } });
    expect(config.archive.topics['months']).toEqual({ keep: { months: 24 } });
    expect(origins.get('archive.topics.a.b.keep')).toMatchObject({ line: 3 });
    expect(origins.get('archive.topics.months.keep')).toMatchObject({ line: 4 });
  });
});

describe('problems', () => {
  test('three mistakes are all reported at once, each with path, rule, value and place', async () => {
    const text =
      'kafka:\n  brokers: [localhost]\nlocal:\n  segmentBytes: 5 apples\ncylce:\n  onStart: true\n';

    expect(await problemsOf({ files: { [file]: text } })).toEqual([
      'kafka.brokers.0: expected host:port (the port is missing; Kafka\'s usual one is 9092: localhost:9092), got "localhost" (./varve.yaml:2)',
      'local.segmentBytes: expected a size from 1KiB to 2147483647 (2GiB - 1), such as 256MiB, got "5 apples" (./varve.yaml:4)',
      'cylce: unknown key; did you mean cycle? (./varve.yaml:5)',
    ]);
  });

  test('every wrong item of a list is reported', async () => {
    const problems = await problemsOf({ env: { VARVE_KAFKA_BROKERS: 'a:0,b:9092,kafka://c:1' } });

    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatch(/^kafka\.brokers\.0: expected a port from 1 to 65535/);
    expect(problems[1]).toMatch(/^kafka\.brokers\.2: expected host:port without a protocol/);
    expect(problems[1]).toMatch(/\(VARVE_KAFKA_BROKERS\)$/);
  });

  test.each([
    ['kafka: {broker: x}', 'kafka.broker: unknown key; did you mean kafka.brokers? (./varve.yaml:1)'],
    ['segmentBytes: 1MiB', 'segmentBytes: unknown key; did you mean local.segmentBytes? (./varve.yaml:1)'],
    ['zzzzzzzzzzzz: 1', 'zzzzzzzzzzzz: unknown key (./varve.yaml:1)'],
    [
      'targets: {dr: {brokers: [a:1], groupId: x}}',
      'targets.dr.groupId: unknown key; did you mean kafka.groupId? (./varve.yaml:1)',
    ],
    ['kafka: a:9092', 'kafka: expected a section with keys of its own, got "a:9092" (./varve.yaml:1)'],
    [
      'kafka: {sasl: {password: hunter2}}',
      'kafka.sasl.mechanism: required beside kafka.sasl.password, but not set (./varve.yaml:1)',
    ],
  ])('%s is refused', async (text, problem) => {
    expect(await problemsOf({ files: { [file]: text } })).toContain(problem);
  });

  test.each([
    ['a: [', 1],
    ['name: a\nname: b', 2],
    ['name: a\n\tb: c', 2],
  ])('YAML that cannot be read is named with its line: %j', async (text, line) => {
    const problems = await problemsOf({ files: { [file]: text } });

    expect(problems[0]).toMatch(/^YAML: [a-z ]+ \(\.\/varve\.yaml:\d+\)$/);
    expect(problems[0]).toContain(`:${line})`);
  });

  test('a file that is not a map, or that loops through its aliases, is refused', async () => {
    expect(await problemsOf({ files: { [file]: '- a\n- b\n' } })).toEqual([
      './varve.yaml: expected a map of sections, such as "kafka:" with indented keys',
    ]);
    expect(await problemsOf({ files: { [file]: 'local: &a\n  dir: *a\n' } })).not.toEqual([]);
  });

  test.each([
    ['local.segmentBytes', ['1023', '2GiB', '-1', '1.5B', 'MiB', '1 MiBs', '1e9']],
    ['local.keep', ['35', '35 days', '-1d', '1.5h', 'forever', '9999999y']],
    ['archive.keep', ['35d', '0mo', 'ever', '12']],
    ['observe.port', ['65536', '-1', '1.5', 'http']],
    ['observe.page', ['yes', '1', 'TRUE']],
    ['observe.logLevel', ['verbose', 'INFO']],
    ['observe.ping', ['example.org', 'ftp://example.org']],
    ['cycle.schedule', ['0 3 * *', '61 * * * *', '@daily', '* * * * * * *', '0 0 31 2 *', 'often']],
    ['cycle.timezone', ['Mars/Olympus', 'Europe/Zürich']],
    ['topics.include', ['a b', 'a/b', 'ä', 'x'.repeat(250)]],
    ['kafka.brokers', ['a', 'a:', 'a:x', 'a:70000', ':9092', 'a b:1', '::1:9092']],
    ['kafka.sasl.mechanism', ['GSSAPI']],
    ['name', ['a/b', '..', '-a', 'x'.repeat(65)]],
    ['instance', ['keys', 'varve.json']],
    ['repository.level', ['0', '20']],
    ['retain.minimum', ['0']],
    ['sink.inFlightBytes', ['1KiB']],
  ])('%s refuses what it cannot mean', async (path, values) => {
    for (const value of values) {
      const problems = await problemsOf({ overrides: [{ path, value, flag: '--set' }] });
      expect(problems.join('\n'), value).toMatch(
        new RegExp(`^${path.replace('.', '\\.')}(\\.0)?: expected .*, got`),
      );
    }
  });

  test.each([
    ['local.segmentBytes', '1KiB', 1024],
    ['local.segmentBytes', '2147483647', 2_147_483_647],
    ['local.segmentBytes', '1.5 MiB', 1_572_864],
    ['local.minFree', '1GB', 1e9],
    ['local.minFree', '0', 0],
    ['local.keep', '13mo', 13 * 31 * 86_400_000],
    ['local.keep', '2w', 14 * 86_400_000],
    ['archive.keep', '2y', { months: 24 }],
    ['observe.port', '0', 0],
    ['observe.page', 'false', false],
    ['cycle.schedule', '*/10 0 3 * * 1-5', '*/10 0 3 * * 1-5'],
    ['cycle.timezone', 'Europe/Zurich', 'Europe/Zurich'],
    ['kafka.brokers', 'a:1, [::1]:9092', ['a:1', '[::1]:9092']],
    ['topics.exclude', 'tmp.*,x-?', ['tmp.*', 'x-?']],
  ])('%s takes %s', async (path, value, expected) => {
    const { config } = await loadGiven({ overrides: [{ path, value, flag: '--set' }] });

    expect(path.split('.').reduce<unknown>((at, name) => Reflect.get(Object(at), name), config)).toEqual(
      expected,
    );
  });
});

describe('what a command needs', () => {
  test('nothing is required of a command that needs nothing', async () => {
    expect(await problemsOf({ needs: [] })).toEqual([]);
  });

  test('what is needed and not set is named, all of it', async () => {
    expect(await problemsOf({ needs: ['kafka.brokers', 'local.dir', 'repository'] })).toEqual([
      'kafka.brokers: required, but not set',
      'local.dir: required, but not set',
      'repository.dir: required, but not set',
      'repository.keyFile: required (or repository.passphraseFile), but not set',
    ]);
  });

  test('an empty list of brokers is not a list of brokers', async () => {
    expect(
      (await problemsOf({ files: { [file]: 'kafka: {brokers: []}' }, needs: ['kafka.brokers'] }))[0],
    ).toMatch(/^kafka\.brokers: expected a list of host:port, at least one, got a list/);
  });

  test('a key and a passphrase together are refused, whether needed or not', async () => {
    const text = 'repository: {keyFile: a, passphraseFile: b}';

    expect(await problemsOf({ files: { [file]: text } })).toEqual([
      'repository.keyFile: expected only one of it and repository.passphraseFile, got both (./varve.yaml:1)',
    ]);
  });
});

describe('keys that need each other', () => {
  test.each([
    ['ssl: {enabled: true, certFile: c}', 'kafka.ssl.certFile: needs kafka.ssl.keyFile beside it'],
    ['ssl: {enabled: true, keyFile: c}', 'kafka.ssl.keyFile: needs kafka.ssl.certFile beside it'],
    ['ssl: {caFile: c}', 'kafka.ssl.caFile: expected kafka.ssl.enabled to be true beside it'],
    ['sasl: {username: u}', 'kafka.sasl.mechanism: required beside kafka.sasl.username, but not set'],
    [
      'sasl: {mechanism: PLAIN, passwordFile: p}',
      'kafka.sasl.mechanism: needs kafka.sasl.username beside it',
    ],
    [
      'sasl: {mechanism: PLAIN, username: u}',
      'kafka.sasl.mechanism: needs kafka.sasl.passwordFile or kafka.sasl.password beside it',
    ],
    [
      'sasl: {mechanism: OAUTHBEARER}',
      'kafka.sasl.mechanism: needs kafka.sasl.tokenCommand or kafka.sasl.oauth.tokenEndpoint beside it',
    ],
    [
      'sasl: {mechanism: OAUTHBEARER, oauth: {tokenEndpoint: "https://a"}}',
      'kafka.sasl.mechanism: needs kafka.sasl.oauth.clientId beside it',
    ],
  ])('%s is not whole', async (text, problem) => {
    const problems = await problemsOf({ files: { [file]: `kafka: {${text}}` } });

    expect(problems).toContain(`${problem} (./varve.yaml:1)`);
  });

  test('a mechanism may be written in lower case', async () => {
    const text = 'kafka: {sasl: {mechanism: scram-sha-256, username: u, passwordFile: p}}';

    expect((await loadGiven({ files: { [file]: text } })).config.kafka.sasl).toEqual({
      mechanism: 'SCRAM-SHA-256',
      username: 'u',
      passwordFile: '/here/p',
    });
  });
});
