import type { Accepted } from '../daemon/daemon.ts';
import type { CommandContext, OptionSpec } from './command.ts';

/** What a cycle refuses, or is held by, until somebody says that it is known. */
export const acceptOptions: Readonly<Record<string, OptionSpec>> = {
  'accept-rollback': {
    type: 'flag',
    summary:
      'Go on although the repository is older than remembered, or another one; every local segment is carried again',
  },
  'accept-cluster': { type: 'flag', summary: 'Go on although the repository holds another Kafka cluster' },
  'accept-shrink': {
    type: 'flag',
    summary: 'Let snapshots expire again although topics vanished, or most partitions did',
  },
  'accept-clock': {
    type: 'flag',
    summary:
      'Say that the clock is right now and was ahead before: what it dated then is kept, and other snapshots expire again',
  },
};

export function acceptedBy({ args }: CommandContext): Accepted {
  return {
    rollback: args.flag('accept-rollback'),
    cluster: args.flag('accept-cluster'),
    shrink: args.flag('accept-shrink'),
    clock: args.flag('accept-clock'),
  };
}
