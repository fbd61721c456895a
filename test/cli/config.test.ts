import { expect, test } from 'vitest';
import { run } from './surroundings.ts';

const whole = 'kafka: {brokers: [a:9092]}\nlocal: {dir: d}\nrepository: {dir: r, keyFile: k}\n';

test('config validate says ok and names the file', async () => {
  const files = { '/here/varve.yaml': whole };

  expect(await run(['config', 'validate'], { files })).toEqual({
    status: 0,
    stdout: 'ok: ./varve.yaml\n',
    stderr: '',
  });
  expect(JSON.parse((await run(['config', 'validate', '--json'], { files })).stdout)).toEqual({
    schema: 'varve.config-validate/1',
    ok: true,
    file: './varve.yaml',
  });
});

test('config validate reports three mistakes at once and ends with 2', async () => {
  const files = {
    '/here/x.yaml': `${whole}topic: {include: [a]}\narchive: {keep: 5d}\n`.replace('a:9092', 'a'),
  };
  const { status, stdout, stderr } = await run(['config', 'validate', '--config', 'x.yaml'], { files });

  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('varve: the configuration has 3 problems:\n');
  expect(stderr).toContain('\n  kafka.brokers.0: expected host:port');
  expect(stderr).toContain('(x.yaml:1)');
  expect(stderr).toContain('\n  topic: unknown key; did you mean topics? (x.yaml:4)\n');
  expect(stderr).toContain('\n  archive.keep: expected forever, or whole months');
  expect(stderr).toContain('\n  hint: ');
});

test('config validate says what is required and not set', async () => {
  const { status, stderr } = await run(['config', 'validate'], { env: { VARVE_KAFKA_BROKERS: 'a:1' } });

  expect(status).toBe(2);
  expect(stderr).not.toContain('kafka.brokers');
  expect(stderr).toContain('local.dir: required, but not set');
  expect(stderr).toContain('repository.dir: required, but not set');
});

test('config print shows every value with its origin, and no secret', async () => {
  const env = {
    VARVE_KAFKA_SASL_PASSWORD: 'hunter2',
    VARVE_KAFKA_SASL_USERNAME: 'u',
    VARVE_KAFKA_SASL_MECHANISM: 'PLAIN',
    VARVE_OBSERVE_PING: 'https://ping/hunter2',
  };
  const argv = ['config', 'print', '--set', 'topics.exclude=a,b'];
  const around = { env, files: { '/here/varve.yaml': whole } };
  const text = await run(argv, around);
  const { stdout } = await run([...argv, '--json'], around);
  const { schema, file, values } = JSON.parse(stdout);
  const valueOf = (path: string) => values.find((value: { path: string }) => value.path === path);

  expect(text.status).toBe(0);
  expect(text.stdout).toMatch(/^kafka\.brokers +a:9092 +\.\/varve\.yaml:1$/m);
  expect(text.stdout).toMatch(/^kafka\.sasl\.password +\(hidden\) +VARVE_KAFKA_SASL_PASSWORD$/m);
  expect(text.stdout).toMatch(/^topics\.exclude +a,b +--set$/m);
  expect(text.stdout).toMatch(/^local\.segmentBytes +256MiB +default$/m);
  expect(text.stdout).toMatch(/^local\.keep +35d +default$/m);
  expect(text.stdout).toMatch(/^cycle\.schedule +0 3 \* \* \* +default$/m);
  expect(text.stdout + text.stderr + stdout).not.toContain('hunter2');
  expect({ schema, file }).toEqual({ schema: 'varve.config/1', file: './varve.yaml' });
  expect(valueOf('kafka.brokers')).toEqual({
    path: 'kafka.brokers',
    value: ['a:9092'],
    origin: { kind: 'file', file: './varve.yaml', line: 1 },
  });
  expect(valueOf('local.segmentBytes').value).toBe(268_435_456);
  expect(valueOf('observe.ping').value).toBe('(hidden)');
});

test('config print needs nothing to be set', async () => {
  expect((await run(['config', 'print'])).status).toBe(0);
});
