import { describe, expect, test } from 'vitest';
import { parseArgs } from '../../src/cli/args.ts';
import type { Command } from '../../src/cli/command.ts';
import { commandRows } from '../../src/cli/commands.ts';
import { contextOf } from '../../src/cli/context.ts';
import { commandHelp } from '../../src/cli/help.ts';
import { errorDocument, errorText, escapeControls, tableLines } from '../../src/cli/output.ts';
import { ask } from '../../src/cli/question.ts';
import { Signals } from '../../src/cli/signals.ts';
import { VarveError } from '../../src/errors.ts';
import { run, surroundings } from './surroundings.ts';

const sample: Command = {
  name: 'sample',
  summary: 'Do nothing',
  examples: [['varve sample', 'nothing']],
  positionals: [{ name: 'topic', summary: 'a topic', many: true }],
  options: {
    topic: { type: 'strings', summary: 'topics', value: 'TOPIC' },
    incarnation: { type: 'string', summary: 'an id' },
    partition: { type: 'count', summary: 'a partition' },
    format: { type: 'string', summary: 'a format', choices: ['jsonl', 'tar'] },
    yes: { type: 'flag', alias: 'y', summary: 'answers' },
  },
  run: async () => 0,
};

describe('help', () => {
  test('--help shows every command, the options of all and examples, within 80 columns', async () => {
    const { status, stdout, stderr } = await run(['--help']);

    expect(status).toBe(0);
    expect(stderr).toBe('');
    for (const { name, summary } of commandRows) {
      expect(stdout).toContain(`${name} `);
      expect(stdout).toContain(summary);
    }
    expect(stdout).toContain('Examples:');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test('every command has a help with its summary, as in the table, and an example that begins with its name', async () => {
    for (const row of commandRows) {
      const command = await row.load();
      const help = commandHelp(command, 80);
      expect(command.name).toBe(row.name);
      expect(command.summary).toBe(row.summary);
      expect(help).toContain('Examples:');
      expect(
        command.examples.some(([line]) => line.includes(`varve ${row.name}`)),
        row.name,
      ).toBe(true);
      expect(
        help.split('\n').filter((line) => line.length > 80),
        row.name,
      ).toEqual([]);
    }
  });

  test("a command's help stands wherever --help does, whatever else is on the line", async () => {
    expect((await run(['config', 'print', '--help'])).stdout).toContain('Usage: varve config print');
    expect((await run(['--json', 'config', 'print', '-h'])).stdout).toContain('Usage: varve config print');
    expect((await run(['config', 'print', '--nonsense', '--help'])).status).toBe(0);
  });

  test("a group's help lists its commands", async () => {
    const { status, stdout } = await run(['config', '--help']);

    expect(status).toBe(0);
    expect(stdout).toContain('config validate');
    expect(stdout).not.toContain('version ');
  });
});

describe('what is not known', () => {
  test.each([
    [['versoin'], 'unknown command "versoin"; did you mean version?'],
    [['confg', 'print'], 'unknown command "confg"; did you mean config?'],
    [['config', 'prnit'], 'unknown command "config prnit"; did you mean config print?'],
    [['config'], 'config is not a whole command: expected one of config print, config validate'],
    [[], 'no command is given'],
    [['--jsn'], 'unknown option --jsn'],
    [['version', '--jsn'], 'unknown option --jsn; did you mean --json?'],
    [['config', 'print', '--confg=x'], 'unknown option --confg; did you mean --config?'],
    [['version', '-x'], 'unknown option -x'],
    [['version', 'now'], 'unexpected argument "now"'],
    [['config', 'print', '--config'], '--config needs a value'],
    [['config', 'print', '--config', '--json'], '--config needs a value'],
    [['config', 'print', '--config', 'a', '--config', 'b'], '--config is given twice'],
    [['config', 'print', '--set', 'novalue'], '--set: expected KEY=VALUE'],
  ])('%j is refused with status 2 and a hint', async (argv, message) => {
    const { status, stdout, stderr } = await run(argv);

    expect(status).toBe(2);
    if (argv.includes('--json')) {
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'usage', message } });
    } else {
      expect(stderr.split('\n')[0]?.startsWith(`varve: ${message}`), stderr).toBe(true);
      expect(stderr).toMatch(/\n {2}hint: \S/);
      expect(stdout).toBe('');
    }
  });

  test('with --json the error is one JSON line on stdout, and stderr stays empty', async () => {
    const { status, stdout, stderr } = await run(['config', 'validate', '--json']);

    expect(status).toBe(2);
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(Object.keys(JSON.parse(stdout).error)).toEqual(['code', 'message', 'hint']);
  });
});

describe('arguments', () => {
  test('lists repeat and take commas', async () => {
    const args = await parseArgs(['--topic', 'a,b', '--topic=c', 'd', 'e'], sample);

    expect(args.list('topic')).toEqual(['a', 'b', 'c']);
    expect(args.words).toEqual(['d', 'e']);
    expect(args.flag('yes')).toBe(false);
    expect(args.string('incarnation')).toBeUndefined();
    expect(args.count('partition')).toBeUndefined();
  });

  test('a value may begin with a dash, as topic ids do, and words after -- are words', async () => {
    const args = await parseArgs(['--incarnation', '-abc_DEF', '-y', '--', '--topic'], sample);

    expect(args.string('incarnation')).toBe('-abc_DEF');
    expect(args.flag('yes')).toBe(true);
    expect(args.words).toEqual(['--topic']);
    expect((await parseArgs(['--incarnation=--abc'], sample)).string('incarnation')).toBe('--abc');
  });

  test('values stay text: nothing that looks like a number becomes one', async () => {
    const args = await parseArgs(['--topic', '007', '--incarnation', '1e3', '0x10'], sample);

    expect(args.list('topic')).toEqual(['007']);
    expect(args.string('incarnation')).toBe('1e3');
    expect(args.words).toEqual(['0x10']);
  });

  test.each([
    [['--partition', 'x'], '--partition: expected a whole number, got "x"'],
    [['--partition', '-1'], '--partition: expected a whole number, got "-1"'],
    [['--format', 'xml'], '--format: expected one of jsonl, tar, got "xml"'],
  ])('%j is refused', async (argv, message) => {
    await expect(parseArgs(argv, sample)).rejects.toThrow(message);
  });

  test('a missing argument is named', async () => {
    const strict = { ...sample, positionals: [{ name: 'FILE', summary: 'the file', required: true }] };

    await expect(parseArgs([], strict)).rejects.toThrow('FILE is missing: the file');
  });

  test('reading an option that the command does not declare is a fault of the program', async () => {
    const args = await parseArgs([], sample);

    expect(() => args.flag('nonsense')).toThrow('not declared');
  });
});

describe('the context of a command', () => {
  test('reads the configuration once, with flags on top and the needs of the command', async () => {
    let reads = 0;
    const base = surroundings({});
    const disk = Object.create(base.host.disk, {
      readFile: { value: async () => (reads++, Buffer.from('name: a\nlocal: {dir: d}\n')) },
    });
    const around = { ...base, host: { ...base.host, disk } };
    const args = await parseArgs(['--set', 'kafka.brokers=a:1,b:2', '--log-level', 'warn'], sample);
    const context = contextOf({ ...sample, needs: ['local.dir', 'kafka.brokers'] }, args, around);

    const config = await context.config();
    expect(await context.config()).toBe(config);
    expect(reads).toBe(1);
    expect(config.kafka.brokers).toEqual(['a:1', 'b:2']);
    expect(config.observe.logLevel).toBe('warn');
    await expect(contextOf({ ...sample, needs: ['repository'] }, args, around).config()).rejects.toThrow(
      'repository.dir: required',
    );
  });
});

describe('output', () => {
  test('a table fits its columns, wraps the last one and cuts no other', () => {
    const lines = tableLines(
      [
        ['a-long-name', 'x', 'one two three four five six'],
        ['b', 'yy'],
      ],
      40,
    );

    expect(lines).toEqual([
      'a-long-name  x   one two three four five',
      '                 six',
      'b            yy',
    ]);
  });

  test('columns that do not fit beside the others stand below their row, whole', () => {
    const name = 'a.topic.with.a.long.name';
    const rows = [
      ['topic', 'partitions', 'from', 'to', ''],
      [name, '12', '2026-08-01T00:00:00Z', '2026-11-01T00:00:00Z', '1 gap of 1,234 offsets, an earlier life'],
    ];

    expect(tableLines(rows, 80)).toEqual([
      'topic                     partitions  from                  to',
      `${name}  12          2026-08-01T00:00:00Z  2026-11-01T00:00:00Z`,
      '  1 gap of 1,234 offsets, an earlier life',
    ]);
  });

  test('what a command says from outside is shown to a terminal, never sent, and JSON stays the same document', async () => {
    const hostile = 'a\u001b[2J\n\r\u009b31m\u202e\u2028\u{e0001}🙂';
    const said: string[] = [];
    const around = surroundings(
      {},
      { stdout: async (chunk) => void said.push(String(chunk)), stderr: (text) => void said.push(text) },
    );
    const plain = contextOf(sample, await parseArgs([], sample), around);
    const forPrograms = contextOf(sample, await parseArgs(['--json'], sample), around);

    await plain.out(hostile);
    plain.err(hostile);
    await plain.table([[hostile, hostile]]);
    await forPrograms.out(JSON.stringify({ hostile }));
    said.push(`${errorDocument(new VarveError('failed', hostile))}\n`);

    for (const line of said) expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u);
    expect(JSON.parse(said[3] ?? '')).toEqual({ hostile });
    expect(JSON.parse(said[4] ?? '')).toMatchObject({ error: { message: hostile } });
  });

  test('control characters and those that turn text around are shown, never sent', () => {
    expect(escapeControls('a\u001b[31mb\nc\u202e\u0085\u200bd')).toBe(
      'a\\u{1b}[31mb\\u{a}c\\u{202e}\\u{85}\\u{200b}d',
    );
    expect(escapeControls('Grüße, 東京 🙂')).toBe('Grüße, 東京 🙂');
    expect(tableLines([['\u001b]0;x\u0007']], 80)).toEqual(['\\u{1b}]0;x\\u{7}']);
  });

  test('a message from outside cannot pass for another line of ours', () => {
    const error = new VarveError('failed', 'topic "a\u001b\nvarve: ok" is odd', { hint: 'look\nagain' });

    expect(errorText(error)).toBe('varve: topic "a\\u{1b}\n  varve: ok" is odd\n  hint: look\\u{a}again\n');
    expect(errorDocument(error).split('\n')).toHaveLength(1);
  });
});

const asked = (answer: string) =>
  surroundings(
    {},
    { terminal: { stdin: true, stdout: true, stderr: true, columns: 80 }, readLine: async () => answer },
  );

describe('the question', () => {
  test('is answered by yes, or by the word it expects', async () => {
    expect(await ask({ question: 'go on?', yes: false }, asked('y'))).toBe(true);
    expect(await ask({ question: 'go on?', yes: false }, asked(''))).toBe(false);
    expect(await ask({ question: 'delete?', expect: 'orders', yes: false }, asked('orders'))).toBe(true);
    expect(await ask({ question: 'delete?', expect: 'orders', yes: false }, asked('y'))).toBe(false);
    expect(await ask({ question: 'go on?', yes: true }, surroundings({}))).toBe(true);
  });

  test('without a terminal and without --yes ends with 2', async () => {
    await expect(ask({ question: 'go on?', yes: false }, surroundings({}))).rejects.toMatchObject({
      exitStatus: 2,
      hint: 'Add --yes to answer it here.',
    });
  });
});

describe('signals', () => {
  test('end a command that does not drain at once', () => {
    expect(new Signals().answer('SIGTERM', 0)).toBe('end');
  });

  test('ask a command that drains to end, and end it at the second', () => {
    const signals = new Signals();
    signals.beginDraining();

    expect(signals.answer('SIGTERM', 0)).toBe('abort');
    expect(signals.answer('SIGTERM', 1000)).toBe('end');
  });

  test('count once when the same one comes twice within a second, and as two when they differ', () => {
    const signals = new Signals();
    signals.beginDraining();

    expect(signals.answer('SIGINT', 0)).toBe('abort');
    expect(signals.answer('SIGINT', 999)).toBe('pass-over');
    expect(signals.answer('SIGTERM', 999)).toBe('end');
  });
});
