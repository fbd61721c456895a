import { VarveError } from '../errors.ts';
import type { RestoreRequest } from '../restore/restore.ts';
import type { Args, OptionSpec } from './command.ts';
import { timeRangeOf } from './time.ts';

export const restoreOptions = {
  topic: { type: 'strings', value: 'T,GLOB', summary: 'These topics; repeatable' },
  'all-topics': { type: 'flag', summary: 'Every topic of the backup' },
  'exclude-topic': { type: 'strings', value: 'T,GLOB', summary: 'But not these' },
  'from-time': { type: 'string', value: 'TIME', summary: 'Only records of this time or later' },
  'to-time': { type: 'string', value: 'TIME', summary: 'Only records before this time' },
  partition: { type: 'strings', value: 'P,Q', summary: 'Only these partitions; repeatable' },
  'to-topic': { type: 'string', value: 'NAME', summary: 'Into a topic of another name' },
  map: { type: 'strings', value: 'A:B', summary: 'The same for several: source:target; repeatable' },
  target: { type: 'string', value: 'NAME', summary: 'Into the cluster that the configuration calls so' },
  'target-brokers': { type: 'strings', value: 'H:P', summary: 'Into the cluster of these brokers' },
  'target-config': {
    type: 'string',
    value: 'FILE',
    summary: 'How to reach it: a file with the keys of kafka',
  },
  'expect-cluster': { type: 'string', value: 'ID', summary: 'Refuse any other cluster than this' },
  snapshot: {
    type: 'string',
    value: 'S',
    summary: 'As it was then, without the local files: an id, a view such as daily.0, latest, or a time',
  },
  instance: { type: 'string', value: 'NAME', summary: 'Snapshots of this instance alone' },
  incarnation: { type: 'string', value: 'ID', summary: 'An older life of the topic, by its topic id' },
  'local-only': { type: 'flag', summary: 'Never look at the repository, which may be what hangs' },
  recreate: { type: 'flag', summary: 'Delete a topic that exists, and make it anew' },
  empty: { type: 'flag', summary: 'Delete the records of a topic that exists, and keep the topic' },
  append: { type: 'flag', summary: 'Write behind what a topic holds' },
  group: { type: 'strings', value: 'G', summary: 'Set the offsets of these groups; repeatable' },
  'all-groups': { type: 'flag', summary: 'Of every group that the backup has on the topics' },
  'no-groups': { type: 'flag', summary: 'Of none' },
  'skip-active-groups': { type: 'flag', summary: 'Leave groups as they are that are active, and end with 3' },
  'groups-to': {
    type: 'string',
    value: 'WHERE',
    choices: ['saved', 'earliest', 'latest'],
    summary: 'To the records they were at (saved), or to an end of what is restored',
  },
  'accept-missing': {
    type: 'flag',
    summary: 'Restore what is there where something is missing, and end with 3',
  },
  'discard-unsaved': {
    type: 'flag',
    summary: 'With --recreate or --empty: let live records go that no source has',
  },
  salvage: { type: 'flag', summary: 'Go on without what cannot be read, and end with 3' },
  repartition: {
    type: 'string',
    value: '[N]',
    without: 'there',
    summary: 'Into N partitions, by key; without N as many as the topic has that is there',
  },
  'replication-factor': { type: 'count', value: 'N', summary: 'Of topics that are made' },
  'topic-config': {
    type: 'repeated',
    value: 'K=V',
    summary: 'A setting of the topics in the end; repeatable',
  },
  'apply-retention': { type: 'flag', summary: 'Also retention that deletes at once what was restored' },
  throttle: { type: 'string', value: 'RATE', summary: 'At most so much a second, such as 50MB/s' },
  'no-verify': { type: 'flag', summary: 'Do not read back and compare' },
  'dry-run': { type: 'flag', summary: 'Show the plan and end' },
  yes: { type: 'flag', summary: 'Answer the question with yes' },
  report: { type: 'string', value: 'FILE', summary: 'Write what was done into this file, as JSON' },
} as const satisfies Record<string, OptionSpec>;

/** Those of every command that fills topics, wherever the records come from. */
const replayNames = [
  'to-topic',
  'target',
  'target-brokers',
  'target-config',
  'expect-cluster',
  'recreate',
  'empty',
  'append',
  'discard-unsaved',
  'replication-factor',
  'topic-config',
  'apply-retention',
  'throttle',
  'no-verify',
  'dry-run',
  'yes',
  'report',
] as const;

export const replayOptions: Readonly<Record<string, OptionSpec>> = Object.fromEntries(
  replayNames.map((name) => [name, restoreOptions[name]]),
);

const repositoryNames: ReadonlySet<string> = new Set([
  'all-topics',
  'snapshot',
  'instance',
  'incarnation',
  'local-only',
  'salvage',
]);

/** Those of a restore that have a meaning where the records come from a file. */
export const fileOptions: Readonly<Record<string, OptionSpec>> = Object.fromEntries(
  Object.entries(restoreOptions).filter(([name]) => !repositoryNames.has(name)),
);

/** What was asked for; contradictions are refused. */
export function requestOf(args: Args): RestoreRequest {
  const allTopics = args.flag('all-topics');
  const chosen = chosenOf(args);
  if (chosen.topics.length === 0 && !allTopics && chosen.map.length === 0) {
    throw usage(
      'expected --topic, --all-topics or --map, got none of them',
      'varve list latest shows the topics',
    );
  }
  return {
    ...chosen,
    allTopics,
    incarnation: args.string('incarnation'),
    snapshot: args.string('snapshot'),
    instance: args.string('instance'),
    localOnly: args.flag('local-only'),
    salvage: args.flag('salvage'),
  };
}

/** Of the topics of a file: all unless some are named. `digest` tells it from the same request of another file. */
export function fileRequest(args: Args, digest: string): RestoreRequest {
  const chosen = chosenOf(args);
  return {
    ...chosen,
    allTopics: chosen.topics.length === 0 && chosen.map.length === 0,
    incarnation: undefined,
    snapshot: `file ${digest}`,
    instance: undefined,
    localOnly: false,
    salvage: false,
  };
}

type Chosen = Omit<
  RestoreRequest,
  'allTopics' | 'incarnation' | 'snapshot' | 'instance' | 'localOnly' | 'salvage'
>;

function chosenOf(args: Args): Chosen {
  const map = args.list('map').map(pairOf);
  atMostOne(args, ['all-groups', 'no-groups']);
  const replay = replayRequest(args);
  if (replay.toTopic !== undefined && map.length > 0)
    throw usage('expected --to-topic or --map, got both', 'name each target once');
  const groups = args.list('group');
  if (groups.length > 0 && (args.flag('all-groups') || args.flag('no-groups')))
    throw usage('expected --group, --all-groups or --no-groups, got two of them', 'say it once');
  const repartition = repartitionOf(args.string('repartition'));
  const partitions = [...new Set(args.list('partition').map(partitionOf))].toSorted((a, b) => a - b);
  const groupsTo = groupsToOf(args.string('groups-to'));
  if (args.string('groups-to') !== undefined && args.flag('no-groups'))
    throw usage(
      'expected --groups-to or --no-groups, got both',
      '--groups-to tells where the groups go that are set, and --no-groups sets none',
    );
  if (repartition !== undefined && partitions.length > 0)
    throw usage(
      'expected --partition or --repartition, got both',
      'the records of each partition go everywhere',
    );
  const isSavedAsked = args.string('groups-to') === 'saved' || groups.length > 0 || args.flag('all-groups');
  if (repartition !== undefined && groupsTo === 'saved' && isSavedAsked)
    throw usage(
      'offsets of groups mean nothing in another number of partitions',
      'with --repartition say --groups-to earliest or --groups-to latest',
    );
  const time = timeRangeOf({ from: args.string('from-time'), to: args.string('to-time') });
  return {
    ...replay,
    topics: args.list('topic'),
    excludeTopics: args.list('exclude-topic'),
    fromMs: time.from,
    toMs: time.to,
    partitions,
    repartition,
    map,
    groups: groupsOf(args, groups),
    groupsTo,
    skipActiveGroups: args.flag('skip-active-groups'),
    acceptMissing: args.flag('accept-missing'),
  };
}

type ReplayRequest = Pick<
  RestoreRequest,
  'toTopic' | 'mode' | 'discardUnsaved' | 'replicationFactor' | 'topicConfigs' | 'applyRetention'
>;

function replayRequest(args: Args): ReplayRequest {
  atMostOne(args, ['recreate', 'empty', 'append']);
  atMostOne(args, ['target', 'target-brokers']);
  const factor = args.count('replication-factor');
  if (factor === 0)
    throw usage('--replication-factor: expected 1 or more, got 0', 'each partition needs a replica');
  return {
    toTopic: args.string('to-topic'),
    mode: modeOf(args),
    discardUnsaved: args.flag('discard-unsaved'),
    replicationFactor: factor,
    topicConfigs: args.repeated('topic-config').map(settingOf),
    applyRetention: args.flag('apply-retention'),
  };
}

/** All of one topic that files hold, and no group. */
export function importRequest(args: Args, o: { topic: string; topicId: string }): RestoreRequest {
  return {
    ...replayRequest(args),
    topics: [o.topic],
    incarnation: o.topicId,
    allTopics: false,
    excludeTopics: [],
    fromMs: undefined,
    toMs: undefined,
    partitions: [],
    map: [],
    snapshot: undefined,
    instance: undefined,
    localOnly: false,
    repartition: undefined,
    groups: 'none',
    groupsTo: 'saved',
    skipActiveGroups: false,
    acceptMissing: false,
    salvage: false,
  };
}

function modeOf(args: Args): RestoreRequest['mode'] {
  if (args.flag('recreate')) return 'recreate';
  if (args.flag('empty')) return 'empty';
  return args.flag('append') ? 'append' : 'create';
}

function groupsOf(args: Args, named: readonly string[]): RestoreRequest['groups'] {
  if (named.length > 0) return named;
  if (args.flag('no-groups')) return 'none';
  return args.flag('all-groups') ? 'all' : 'default';
}

function groupsToOf(word: string | undefined): RestoreRequest['groupsTo'] {
  return word === 'earliest' || word === 'latest' ? word : 'saved';
}

function pairOf(text: string): readonly [string, string] {
  const [source, target, more] = text.split(':');
  if (source !== undefined && source !== '' && target !== undefined && target !== '' && more === undefined)
    return [source, target];
  throw usage(
    `--map: expected source:target, got ${JSON.stringify(text)}`,
    'for example --map orders:orders.check',
  );
}

function partitionOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usage(
    `--partition: expected a partition's number, got ${JSON.stringify(text)}`,
    'partitions are numbered from 0',
  );
}

const partitionsMax = 100_000;

function repartitionOf(text: string | undefined): RestoreRequest['repartition'] {
  if (text === undefined || text === 'there') return text;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= partitionsMax) return count;
  throw usage(
    `--repartition: expected a number of partitions from 1 to ${partitionsMax}, got ${JSON.stringify(text)}`,
    'for example --repartition 12; alone it means as many as the topic has that is there',
  );
}

function settingOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usage(
    `--topic-config: expected name=value, got ${JSON.stringify(text)}`,
    'for example --topic-config retention.ms=-1',
  );
}

function atMostOne(args: Args, names: readonly string[]): void {
  const given = names.filter((name) =>
    name === 'target' ? args.string(name) !== undefined : isGiven(args, name),
  );
  if (given.length > 1)
    throw usage(`expected at most one of --${names.join(', --')}, got ${given.length}`, 'choose one');
}

function isGiven(args: Args, name: string): boolean {
  return name === 'target-brokers' ? args.list(name).length > 0 : args.flag(name);
}

const units = new Map([
  ['', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['kib', 1024],
  ['mib', 1024 ** 2],
  ['gib', 1024 ** 3],
]);

/** Bytes a second. */
export function throttleOf(args: Args): number | undefined {
  const text = args.string('throttle');
  if (text === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?b|b)?(?:\/s)?$/i.exec(text);
  const unit = units.get((match?.[2] ?? '').toLowerCase().replace(/^b$/, ''));
  const bytes = match === null || unit === undefined ? 0 : Number(match[1]) * unit;
  if (bytes >= 1) return bytes;
  throw usage(
    `--throttle: expected a rate such as 50MB/s, got ${JSON.stringify(text)}`,
    'bytes a second, with a unit',
  );
}

function usage(what: string, hint: string): VarveError {
  return new VarveError('usage', what.startsWith('--') ? what : `restore: ${what}`, { hint });
}
