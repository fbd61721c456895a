import { resolve } from 'node:path';
import { loadConfig, type LoadedConfig, type Need, type Override } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import type { Args, Command, CommandContext, Surroundings } from './command.ts';
import { escapeControls, escapeJsonControls, tableLines } from './output.ts';
import { ask } from './question.ts';

/** What a command is given to run with. */
export function contextOf(command: Command, args: Args, around: Surroundings): CommandContext {
  let loaded: Promise<LoadedConfig> | undefined;
  const load = (needs: readonly Need[] | undefined) => {
    const file = args.string('config');
    const options = { overrides: overridesOf(args), ...(file === undefined ? {} : { file }) };
    return loadConfig(needs === undefined ? options : { ...options, needs }, portsOf(around));
  };
  const json = args.flag('json');
  const escape = json ? escapeJsonControls : escapeControls;
  const out = (line: string) => around.stdout(`${escape(line)}\n`);
  return {
    args,
    json,
    config: async () => (await (loaded ??= load(command.needs))).config,
    loadedConfig: async (needs) => (needs === undefined ? (loaded ??= load(command.needs)) : load(needs)),
    out,
    write: (chunk) => around.stdout(chunk),
    err: (line) => around.stderr(`${escapeControls(line)}\n`),
    errText: (text) => around.stderr(text),
    table: async (rows) => {
      for (const line of tableLines(rows, around.terminal.columns)) await out(line);
    },
    confirm: (question, options = {}) =>
      ask({ question, ...options, yes: command.options?.['yes'] !== undefined && args.flag('yes') }, around),
    env: around.env,
    cwd: around.cwd,
    signal: around.signal,
    host: around.host,
    terminal: around.terminal,
  };
}

function portsOf(around: Surroundings) {
  return {
    env: around.env,
    cwd: around.cwd,
    readText: async (path: string) => {
      const bytes = await around.host.disk.readFile(resolve(around.cwd, path));
      return bytes?.toString('utf8');
    },
  };
}

function overridesOf(args: Args): Override[] {
  const level = args.string('log-level');
  const named = level === undefined ? [] : [{ path: 'observe.logLevel', value: level, flag: '--log-level' }];
  const set = args.repeated('set').map((given): Override => {
    const equals = given.indexOf('=');
    if (equals > 0) return { path: given.slice(0, equals), value: given.slice(equals + 1), flag: '--set' };
    throw new VarveError('usage', '--set: expected KEY=VALUE', {
      hint: 'For example --set local.segmentBytes=64MiB; docs/config.md lists every key.',
    });
  });
  return [...set, ...named];
}
