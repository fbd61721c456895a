import type { Command } from './command.ts';

/** A row of the top-level help. The command itself is loaded only when it is asked for. */
export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  readonly group: 'Back up' | 'Look' | 'Set up';
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
    name: 'doctor',
    summary: 'Probe whether this machine can do the work',
    group: 'Set up',
    load: async () => (await import('./doctor.ts')).command,
  },
  {
    name: 'init',
    summary: 'Make the local folder',
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
    name: 'version',
    summary: 'Show the versions of this program and what it runs on',
    group: 'Set up',
    load: async () => (await import('./version.ts')).command,
  },
];
