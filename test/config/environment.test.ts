import { describe, expect, test } from 'vitest';
import { loadGiven, problemsOf } from './given.ts';

describe('the environment', () => {
  test('a camelCase key is split into words, and a list takes commas', async () => {
    const { config } = await loadGiven({
      env: {
        VARVE_LOCAL_SEGMENT_BYTES: '64MiB',
        VARVE_KAFKA_BROKERS: 'a:9092, b:9092',
        VARVE_CYCLE_ON_START: 'true',
        VARVE_OBSERVE_PORT: '9000',
        VARVE_TOPICS_EXCLUDE: '',
      },
    });

    expect(config.local.segmentBytes).toBe(2 ** 26);
    expect(config.kafka.brokers).toEqual(['a:9092', 'b:9092']);
    expect(config.cycle.onStart).toBe(true);
    expect(config.observe.port).toBe(9000);
    expect(config.topics.exclude).toEqual([]);
  });

  test('what Kubernetes injects for Services whose names begin with varve is ignored', async () => {
    const env = {
      VARVE_PORT: 'tcp://10.0.0.1:80',
      VARVE_SERVICE_HOST: '10.0.0.1',
      VARVE_SERVICE_PORT: '80',
      VARVE_SERVICE_PORT_HTTP: '80',
      VARVE_PORT_80_TCP: 'tcp://10.0.0.1:80',
      VARVE_PORT_80_TCP_PROTO: 'tcp',
      VARVE_PORT_80_TCP_PORT: '80',
      VARVE_PORT_80_TCP_ADDR: '10.0.0.1',
      VARVE_OBSERVE_PORT: 'tcp://10.0.0.2:8080',
      VARVE_OBSERVE_SERVICE_HOST: '10.0.0.2',
      VARVE_OBSERVE_PORT_8080_TCP_ADDR: '10.0.0.2',
    };

    expect((await loadGiven({ env })).config.observe).toMatchObject({ host: '127.0.0.1', port: 8080 });
  });

  test('any other unknown variable is refused with the nearest one, and its value is not shown', async () => {
    expect(await problemsOf({ env: { VARVE_LOCAL_SEGMENTBYTES: 'hunter2' } })).toEqual([
      'VARVE_LOCAL_SEGMENTBYTES: unknown variable; did you mean VARVE_LOCAL_SEGMENT_BYTES?',
    ]);
    expect(await problemsOf({ env: { VARVE_PORT: '80' } })).toHaveLength(1);
    expect(await problemsOf({ env: { VARVE_KAFKA: 'a' } })).toHaveLength(1);
  });

  test('a target is changed by its own variables and never by those of kafka', async () => {
    const { config, origins } = await loadGiven({
      files: { '/here/varve.yaml': 'targets: {dr-West: {brokers: [file:1]}, two: {brokers: [file:2]}}' },
      env: {
        VARVE_KAFKA_BROKERS: 'kafka:9092',
        VARVE_KAFKA_CLIENT_ID: 'other',
        VARVE_TARGETS_DR_WEST_BROKERS: 'west:1',
        VARVE_TARGETS_NEW_BROKERS: 'new:1',
        VARVE_TARGETS_NEW_CLIENT_ID: 'n',
      },
    });

    expect(config.targets['dr-West']).toMatchObject({ brokers: ['west:1'], clientId: 'varve' });
    expect(config.targets['two']).toMatchObject({ brokers: ['file:2'], clientId: 'varve' });
    expect(config.targets['new']).toMatchObject({ brokers: ['new:1'], clientId: 'n' });
    expect(origins.get('targets.dr-West.brokers')).toMatchObject({
      variable: 'VARVE_TARGETS_DR_WEST_BROKERS',
    });
  });
});

describe('secrets', () => {
  const identity = { VARVE_KAFKA_SASL_MECHANISM: 'PLAIN', VARVE_KAFKA_SASL_USERNAME: 'u' };

  test('a password may come from the environment, and shows itself only when asked', async () => {
    const { config } = await loadGiven({ env: { ...identity, VARVE_KAFKA_SASL_PASSWORD: 'hunter2' } });

    expect(config.kafka.sasl?.password?.reveal()).toBe('hunter2');
    expect(JSON.stringify(config)).not.toContain('hunter2');
    expect(`${config.kafka.sasl?.password?.toString()}`).toBe('(hidden)');
  });

  test('a password in the file or on the command line is refused, and not shown', async () => {
    const text = 'kafka: {sasl: {mechanism: PLAIN, username: u, password: hunter2}}';
    const inFile = await problemsOf({ files: { '/here/varve.yaml': text } });
    const onLine = await problemsOf({
      env: identity,
      overrides: [{ path: 'kafka.sasl.password', value: 'hunter2', flag: '--set' }],
    });

    expect(inFile).toEqual([
      'kafka.sasl.password: a secret comes from the environment, or from a file of its own (./varve.yaml:1)',
    ]);
    expect(onLine).toEqual([
      'kafka.sasl.password: a secret comes from the environment, or from a file of its own (--set)',
    ]);
  });

  test('no problem shows what may be secret', async () => {
    const problems = await problemsOf({
      env: {
        ...identity,
        VARVE_KAFKA_SASL_PASSWORD: 'hunter2\n',
        VARVE_OBSERVE_PING: 'hunter2',
        VARVE_KAFKA_BROKERS: 'u:hunter2@h:1',
        VARVE_KAFKA_SASL_PASSWORT: 'hunter2',
      },
      files: { '/here/varve.yaml': 'a: "hunter2\n' },
    });

    expect(problems.length).toBeGreaterThanOrEqual(5);
    expect(problems.join('\n')).not.toContain('hunter2');
  });
});
