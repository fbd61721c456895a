import type { z } from 'zod';
import { readEnvironmentInto } from './environment.ts';
import { readFileInto } from './file.ts';
import { keysOf, type Key } from './keys.ts';
import { readOverridesInto, unknownKeyText } from './overrides.ts';
import { problemsError, shown, type Problem } from './problem.ts';
import { crossProblems } from './rules.ts';
import { configSchema, type ParsedConfig } from './schema.ts';
import { Tree } from './tree.ts';
import {
  Secret,
  type Config,
  type ConfigPorts,
  type KafkaConfig,
  type LoadConfigOptions,
  type LoadedConfig,
  type Origin,
  type SaslConfig,
} from './types.ts';
import { leavesOf } from './values.ts';

/** Reads all sources, then judges them together, so that one run names every problem. */
export async function load(options: LoadConfigOptions, ports: ConfigPorts): Promise<LoadedConfig> {
  const schema = configSchema(ports.cwd);
  const keys = keysOf(schema);
  const tree = new Tree();
  const problems: Problem[] = [];
  const named = options.file ?? (ports.env['VARVE_CONFIG'] === '' ? undefined : ports.env['VARVE_CONFIG']);
  const file = await readFileInto(tree, { named, isCluster: options.isCluster }, ports, problems);
  readEnvironmentInto(tree, keys, ports.env, problems);
  readOverridesInto(tree, keys, options.overrides ?? [], problems);
  problems.push(...misplacedSecrets(tree, keys));

  const parsed = schema.safeParse(tree.root);
  if (!parsed.success)
    problems.push(...parsed.error.issues.flatMap((issue) => problemsOf(issue, tree, keys)));
  problems.push(...crossProblems(tree, options.needs ?? []));
  if (!parsed.success || problems.length > 0) throw problemsError(problems);

  const config = deepFreeze(configOf(parsed.data));
  return { config, origins: originsOf(config, tree), ...(file === undefined ? {} : { file }) };
}

function configOf(parsed: ParsedConfig): Config {
  const { kafka, targets, observe, ...rest } = parsed;
  const { ping, ...watch } = observe;
  return {
    ...rest,
    kafka: { ...clusterOf(kafka), groupId: kafka.groupId ?? `varve-${parsed.name}` },
    targets: Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, clusterOf(target)])),
    observe: { ...watch, ...(ping === undefined ? {} : { ping: new Secret(ping) }) },
  };
}

type ParsedCluster = ParsedConfig['targets'][string];

function clusterOf({ brokers, clientId, rack, ssl, sasl }: ParsedCluster): KafkaConfig {
  const identity = saslOf(sasl);
  return {
    brokers: brokers ?? [],
    clientId,
    ...(rack === undefined ? {} : { rack }),
    ssl,
    ...(identity === undefined ? {} : { sasl: identity }),
  };
}

function saslOf({ mechanism, password, oauth, ...rest }: ParsedCluster['sasl']): SaslConfig | undefined {
  if (mechanism === undefined) return undefined;
  const { tokenEndpoint, clientId, clientSecret, ...more } = oauth;
  const named = tokenEndpoint !== undefined && clientId !== undefined;
  return {
    mechanism,
    ...rest,
    ...(password === undefined ? {} : { password: new Secret(password) }),
    ...(named
      ? {
          oauth: {
            tokenEndpoint,
            clientId,
            ...more,
            ...(clientSecret === undefined ? {} : { clientSecret: new Secret(clientSecret) }),
          },
        }
      : {}),
  };
}

function problemsOf(issue: z.core.$ZodIssue, tree: Tree, keys: readonly Key[]): Problem[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const whole = [...path, name];
      return {
        path: whole.join('.'),
        text: unknownKeyText(whole.join('.'), keys),
        origin: tree.originOf(whole),
      };
    });
  }
  const secret = keys.some((key) => key.secret === true && matches(path, key.pattern));
  const got = secret ? '(hidden)' : shown(tree.get(path));
  return [
    { path: path.join('.'), text: `expected ${expectedOf(issue)}, got ${got}`, origin: tree.originOf(path) },
  ];
}

function expectedOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom') return issue.message;
  return issue.code === 'invalid_key'
    ? 'a name of letters, digits, ".", "_" and "-"'
    : 'a section with keys of its own';
}

function misplacedSecrets(tree: Tree, keys: readonly Key[]): Problem[] {
  return keys
    .filter((key) => key.environmentOnly === true)
    .flatMap((key) => pathsOf(tree, key.pattern))
    .flatMap((path) => {
      const origin = tree.originOf(path);
      const misplaced = tree.get(path) !== undefined && origin !== undefined && origin.kind !== 'environment';
      const text = 'a secret comes from the environment, or from a file of its own';
      return misplaced ? [{ path: path.join('.'), text, origin }] : [];
    });
}

/** A pattern's paths in the tree: one, or one for each chosen name. */
function pathsOf(tree: Tree, pattern: readonly string[]): (readonly string[])[] {
  const star = pattern.indexOf('*');
  if (star < 0) return [pattern];
  const names = Object.keys(tree.get(pattern.slice(0, star)) ?? {});
  return names.map((name) => pattern.with(star, name));
}

function matches(path: readonly string[], pattern: readonly string[]): boolean {
  return (
    path.length >= pattern.length && pattern.every((name, index) => name === '*' || name === path[index])
  );
}

function originsOf(config: Config, tree: Tree): ReadonlyMap<string, Origin> {
  return new Map(
    leavesOf(config, []).map(([path]): [string, Origin] => {
      const given = tree.originOfValue(path);
      return [path.join('.'), given ?? { kind: 'default' }];
    }),
  );
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
