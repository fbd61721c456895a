import { localFolderOf, type Config } from '../config/config.ts';
import { VarveError } from '../errors.ts';
import { snapshotSettings } from '../daemon/daemon.ts';
import { lookAtLocal, OpenBackup } from '../sources/sources.ts';
import { ReadingSession, type SnapshotChoice } from '../target/target.ts';
import type { CommandContext } from './command.ts';
import { recall } from './repository.ts';
import { snapshotChoice } from './snapshot-choice.ts';

export interface SourceChoice {
  /** Read snapshots of this moment alone, not the local files. */
  readonly snapshot: string | undefined;
  readonly instance: string | undefined;
}

/** Before anything is loaded: what cannot both be meant. */
export function checkChoice(choice: SourceChoice & { localOnly: boolean }): void {
  if (!choice.localOnly) return;
  for (const name of ['snapshot', 'instance'] as const) {
    if (choice[name] === undefined) continue;
    throw new VarveError('usage', `expected --${name} or --local-only, got both`, {
      hint: 'snapshots are in the repository: leave --local-only out',
    });
  }
}

/** A process for the repository, if it will be looked at: it starts while the caller does something else. */
export function startReading(
  { host, signal }: CommandContext,
  config: Config,
  { localOnly }: { localOnly: boolean },
): ReadingSession | undefined {
  if (config.repository.dir === undefined || localOnly) return undefined;
  return new ReadingSession(host, { settings: snapshotSettings(config), signal });
}

/**
 * All that can be read: the local files and the newest snapshot of each instance, or what was chosen of them. The
 * process that reads snapshots is the caller's to end.
 */
export async function openBackup(
  context: CommandContext,
  config: Config,
  o: SourceChoice & { warn: (message: string) => void; reading: ReadingSession | undefined },
): Promise<OpenBackup> {
  const hasLocal = config.local.dir !== undefined && o.snapshot === undefined;
  const { reading, instance } = o;
  if (reading === undefined && instance !== undefined) {
    throw new VarveError('config', `--instance: there is no repository to look for instance ${instance} in`, {
      hint: 'set repository.dir and its key, or leave --instance out',
    });
  }
  if (!hasLocal && reading === undefined) {
    throw new VarveError(
      'config',
      'there is nothing to read from: neither local.dir nor repository.dir is set',
      {
        hint: 'set repository.dir and its key, or local.dir',
      },
    );
  }
  const local = hasLocal ? await lookAtLocal(context.host, localFolderOf(config)) : undefined;
  const choice = o.snapshot === undefined ? undefined : snapshotChoice(o.snapshot, '--snapshot');
  const found =
    reading === undefined ? nothingThere : await lookAtSnapshots(context, { config, choice, ...o, reading });
  return new OpenBackup(context.host.disk, { local, ...found });
}

type FoundSnapshots = Pick<ConstructorParameters<typeof OpenBackup>[1], 'snapshots' | 'retired'>;

const nothingThere: FoundSnapshots = { snapshots: [], retired: new Set() };

async function lookAtSnapshots(
  context: CommandContext,
  o: {
    config: Config;
    choice: SnapshotChoice | undefined;
    instance: string | undefined;
    warn: (message: string) => void;
    reading: ReadingSession;
  },
): Promise<FoundSnapshots> {
  const { config, choice, instance, warn, reading } = o;
  const memory = await recall(context, config);
  const asked = {
    instance,
    isTyped: instance !== undefined,
    memory,
    ...(choice !== undefined && { choice }),
  };
  const { overview, newest } = await reading.overview(asked);
  for (const { instance: name, id, problem } of overview.problems) warn(`${name}/${id}: ${problem}`);
  if (choice !== undefined && newest.length === 0) {
    throw new VarveError('nothing-selected', `there is no snapshot ${choice.text}`, {
      hint: 'varve list shows those that are there, and their views',
    });
  }
  const gone = newest.filter(({ row }) => overview.retired.includes(row.instance));
  const retired = new Set(gone.map(({ manifest }) => manifest.installation));
  if (gone.length > 0) {
    const names = gone.map(({ row }) => row.instance).join(', ');
    warn(`retired: ${names}: what was on the local disk there alone does not count as missing`);
  }
  const snapshots = newest.map((detail) => ({ ...detail, reading }));
  return { snapshots: snapshots.toSorted((a, b) => b.row.takenMs - a.row.takenMs), retired };
}
