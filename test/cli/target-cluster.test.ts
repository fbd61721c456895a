import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { here } from './on-disk.ts';

test.each([
  [
    'the keys of kafka, other brokers too',
    'brokers: [elsewhere:9092]\nclientId: x\n',
    17,
    '127.0.0.1:1 cannot be',
  ],
  ['the same as JSON', '{"brokers": ["elsewhere:9092"]}', 17, '127.0.0.1:1 cannot be'],
  [
    'a whole configuration',
    '---\nname: dr\nkafka:\n  brokers: [elsewhere:9092]\n',
    17,
    '127.0.0.1:1 cannot be',
  ],
  ['a whole configuration as JSON', '{"kafka": {"clientId": "x"}}', 17, '127.0.0.1:1 cannot be'],
  ['nothing but comments', '# none\n', 17, '127.0.0.1:1 cannot be'],
  ['a key that is wrong', 'clientId: x\nsssl: 1\n', 2, 'kafka.sssl'],
  ['a mistake, told with its line', 'clientId: x\nrack: [\n', 2, '(target.yaml:3)'],
])(
  '--target-config may hold %s; the brokers are those of --target-brokers',
  async (_, text, status, told) => {
    await using at = await here();
    await writeFile(join(at.folder, 'target.yaml'), text);
    const target = ['--target-brokers', '127.0.0.1:1', '--target-config', 'target.yaml'];
    const end = await at.run(['restore', '--all-topics', ...target, '--dry-run']);
    expect(end).toMatchObject({ status, stderr: expect.stringContaining(told) });
  },
);
