import type { Command } from './command.ts';

/** A row of the top-level help. The command itself is loaded only when it is asked for. */
export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  readonly group: 'Back up' | 'Restore' | 'Look' | 'Tend' | 'Set up';
  load(): Promise<Command>;
}

export const commandRows: readonly CommandRow[] = [
  {
    name: 'run',
    summary: 'Follow the cluster, save what comes, publish snapshots on schedule',
    group: 'Back up',
    load: async () => (await import('./run.ts')).command,
  },
  {
    name: 'backup',
    summary: 'Save what is committed now, publish a snapshot, then end',
    group: 'Back up',
    load: async () => (await import('./backup.ts')).command,
  },
  {
    name: 'snapshot',
    summary: 'Publish what is on the local disk as a snapshot, now',
    group: 'Back up',
    load: async () => (await import('./snapshot.ts')).command,
  },
  {
    name: 'restore',
    summary: 'Put topics back, with the offsets of their groups',
    group: 'Restore',
    load: async () => (await import('./restore.ts')).command,
  },
  {
    name: 'drill',
    summary: 'Rehearse a restore of the newest snapshot, noting the result',
    group: 'Restore',
    load: async () => (await import('./drill.ts')).command,
  },
  {
    name: 'export',
    summary: 'Write topics into a plain file, or a snapshot into a folder',
    group: 'Restore',
    load: async () => (await import('./export.ts')).command,
  },
  {
    name: 'import',
    summary: 'Put topics back from a file that export wrote',
    group: 'Restore',
    load: async () => (await import('./import.ts')).command,
  },
  {
    name: 'import-sink',
    summary: 'Fill a topic from the files of a FileStreamSink',
    group: 'Restore',
    load: async () => (await import('./import-sink.ts')).command,
  },
  {
    name: 'restores list',
    summary: 'List restores that were begun here, and which are unfinished',
    group: 'Restore',
    load: async () => (await import('./restores.ts')).command,
  },
  {
    name: 'groups list',
    summary: 'List the consumer groups of a snapshot, with their offsets',
    group: 'Restore',
    load: async () => (await import('./groups.ts')).command,
  },
  {
    name: 'groups rollback',
    summary: 'Put groups back where they stood before a restore',
    group: 'Restore',
    load: async () => (await import('./groups-rollback.ts')).command,
  },
  {
    name: 'list',
    summary: 'List the snapshots, or what one of them holds',
    group: 'Look',
    load: async () => (await import('./list.ts')).command,
  },
  {
    name: 'info',
    summary: 'Tell what is backed up, how old it is, and what is not',
    group: 'Look',
    load: async () => (await import('./info.ts')).command,
  },
  {
    name: 'cat',
    summary: 'Print the records of a topic',
    group: 'Look',
    load: async () => (await import('./cat.ts')).command,
  },
  {
    name: 'check',
    summary: 'Tell whether the backup is healthy now',
    group: 'Look',
    load: async () => (await import('./check.ts')).command,
  },
  {
    name: 'verify',
    summary: 'Read the repository and tell whether it is whole',
    group: 'Look',
    load: async () => (await import('./verify.ts')).command,
  },
  {
    name: 'gaps list',
    summary: 'List the records that could not be saved',
    group: 'Look',
    load: async () => (await import('./gaps.ts')).gapsList,
  },
  {
    name: 'gaps accept',
    summary: 'Say that the missing records are known',
    group: 'Look',
    load: async () => (await import('./gaps.ts')).gapsAccept,
  },
  {
    name: 'expire',
    summary: 'Let go of snapshots by the policy, after showing the plan',
    group: 'Tend',
    load: async () => (await import('./tend.ts')).expire,
  },
  {
    name: 'pin',
    summary: 'Keep a snapshot whatever the policy says',
    group: 'Tend',
    load: async () => (await import('./tend.ts')).pin,
  },
  {
    name: 'unpin',
    summary: 'Let the policy decide about a snapshot again',
    group: 'Tend',
    load: async () => (await import('./tend.ts')).unpin,
  },
  {
    name: 'instance list',
    summary: 'List the instances that share the repository',
    group: 'Tend',
    load: async () => (await import('./instance.ts')).instanceList,
  },
  {
    name: 'instance retire',
    summary: 'Say that the daemon of an instance is gone for good',
    group: 'Tend',
    load: async () => (await import('./instance.ts')).instanceRetire,
  },
  {
    name: 'repack',
    summary: 'Join the small packs of past months into larger ones',
    group: 'Tend',
    load: async () => (await import('./repack.ts')).command,
  },
  {
    name: 'unlock',
    summary: 'Take away the lock of an instance whose holder is gone',
    group: 'Tend',
    load: async () => (await import('./tend.ts')).unlock,
  },
  {
    name: 'key list',
    summary: 'List the slots and the content keys of the repository',
    group: 'Tend',
    load: async () => (await import('./key.ts')).keyList,
  },
  {
    name: 'key add',
    summary: 'Add a key file or passphrase that opens the repository',
    group: 'Tend',
    load: async () => (await import('./key.ts')).keyAdd,
  },
  {
    name: 'key remove',
    summary: 'Remove a slot',
    group: 'Tend',
    load: async () => (await import('./key.ts')).keyRemove,
  },
  {
    name: 'key rotate',
    summary: 'Add a content key, under which later cycles seal',
    group: 'Tend',
    load: async () => (await import('./key-rotate.ts')).command,
  },
  {
    name: 'key export',
    summary: 'Print a recovery sheet, which opens everything',
    group: 'Tend',
    load: async () => (await import('./key-export.ts')).command,
  },
  {
    name: 'key generate',
    summary: 'Make a key file',
    group: 'Set up',
    load: async () => (await import('./key.ts')).keyGenerate,
  },
  {
    name: 'doctor',
    summary: 'Probe whether this machine can do the work',
    group: 'Set up',
    load: async () => (await import('./doctor.ts')).command,
  },
  {
    name: 'init',
    summary: 'Make the local folder and the repository',
    group: 'Set up',
    load: async () => (await import('./init.ts')).command,
  },
  {
    name: 'config print',
    summary: 'Show every value and where it comes from',
    group: 'Set up',
    load: async () => (await import('./config.ts')).configPrint,
  },
  {
    name: 'config validate',
    summary: 'Check the configuration and name every problem',
    group: 'Set up',
    load: async () => (await import('./config.ts')).configValidate,
  },
  {
    name: 'completion',
    summary: 'Print a script that completes commands in bash or zsh',
    group: 'Set up',
    load: async () => (await import('./completion.ts')).command,
  },
  {
    name: 'version',
    summary: 'Show the versions of this program and what it runs on',
    group: 'Set up',
    load: async () => (await import('./version.ts')).command,
  },
];
