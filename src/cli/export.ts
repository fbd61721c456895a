import type { Command } from './command.ts';
import { exportSnapshot } from './export-snapshot.ts';
import { exportTopics } from './export-topics.ts';

export const command: Command = {
  name: 'export',
  positionals: [
    { name: 'snapshot', summary: 'An id, a view, latest, or a time' },
    { name: 'dir', summary: 'A folder that is empty, or not there yet' },
  ],
  summary: 'Write topics into a plain file, or a snapshot into a folder',
  description:
    "Reads what restore reads, and writes Kafka's own log segments, the settings of the topics and the offsets of their " +
    'groups into a tar, which any tar unpacks and varve import restores. With --format jsonl it writes the lines of ' +
    'varve cat --json instead, without --out on stdout. A name that ends in .zst is compressed.\n' +
    'The file is not encrypted. It appears whole or not at all, and never over another. Records that are left out ' +
    'by --from-time, --to-time or --key are left out of their batches; all others stay byte for byte. What the cluster ' +
    'has and the backup has not is not in it: varve backup saves it first.\n' +
    'With SNAPSHOT and DIR it copies that snapshot with everything that its restore needs (packs, manifest, sums, keys/ ' +
    'and varve.json) into a folder that is then a repository of one snapshot, encrypted as it is: set repository.dir to ' +
    'it, and list, verify, cat and restore work with the same key. Every file is read back and held against its sum, ' +
    'and the copy is opened; what was cut off has no varve.json. A folder that is not empty is refused (18). Needs no ' +
    'broker and no local folder, takes no lock, and changes nothing in the repository.',
  examples: [
    ['varve export --topic orders --out orders.tar.zst', 'everything that is saved of a topic'],
    [
      "varve export --topic 'shop.*' --snapshot daily.0 --out shop.tar",
      'several, as the newest daily snapshot has them',
    ],
    [
      'varve export --topic orders --from-time 2026-11-01T00:00Z --to-time 2026-11-02T00:00Z --out day.tar',
      'one day of it',
    ],
    ['varve export --topic orders --key customer-17 --format jsonl', 'what there is of one key, as lines'],
    ['varve export latest /mnt/usb/varve', 'the newest snapshot, complete by itself'],
  ],
  options: {
    topic: { type: 'strings', value: 'T,GLOB', summary: 'These topics; repeatable' },
    'all-topics': { type: 'flag', summary: 'Every topic of the backup' },
    'exclude-topic': { type: 'strings', value: 'T,GLOB', summary: 'But not these' },
    partition: { type: 'strings', value: 'P,Q', summary: 'Only these partitions; repeatable' },
    'from-time': { type: 'string', value: 'TIME', summary: 'Only records of this time or later' },
    'to-time': { type: 'string', value: 'TIME', summary: 'Only records before this time' },
    key: { type: 'string', value: 'TEXT', summary: 'Only records with exactly this key' },
    snapshot: {
      type: 'string',
      value: 'S',
      summary: 'As it was then, without the local files: an id, a view such as daily.0, latest, or a time',
    },
    instance: { type: 'string', value: 'NAME', summary: 'Snapshots of this instance alone' },
    incarnation: { type: 'string', value: 'ID', summary: 'An older life of the topic, by its topic id' },
    'local-only': { type: 'flag', summary: 'Never look at the repository, which may be what hangs' },
    'accept-missing': {
      type: 'flag',
      summary: 'Write what is there where something is missing, and end with 3',
    },
    format: { type: 'string', value: 'F', choices: ['tar', 'jsonl'], summary: 'tar (the default) or jsonl' },
    out: { type: 'string', value: 'FILE', summary: 'The file to make: X.tar, X.tar.zst; any name for jsonl' },
  },
  needs: [],
  drains: true,
  run: async (context) => (context.args.words.length > 0 ? exportSnapshot(context) : exportTopics(context)),
};
