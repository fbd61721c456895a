import { localFolderOf, type Config } from '../config/config.ts';
import { askDaemon, type DaemonEvent, type OrderWaits } from '../daemon/daemon.ts';
import { messageOf, VarveError } from '../errors.ts';
import type { Cluster, CommittedOffset } from '../kafka/kafka.ts';
import { readIdentity } from '../local/local.ts';
import { patiently, type RestoreRequest } from '../restore/restore.ts';
import { claimsOf } from './claimed.ts';
import type { Command, CommandContext } from './command.ts';
import { waitingText } from './cycle-progress.ts';
import { connectTarget, replay } from './replay.ts';
import { requestOf, restoreOptions, throttleOf } from './restore-options.ts';
import { checkChoice, openBackup, startReading } from './sources.ts';

export const command: Command = {
  name: 'restore',
  summary: 'Put topics back, with the offsets of their groups',
  description:
    'Reads the local files and the newest snapshots together, shows what it will do, asks, does it, reads everything ' +
    'back and compares, then sets the offsets of consumer groups to the very same records. Whatever stops it, the ' +
    'same command goes on where it stopped, and no record comes twice.\n' +
    'A topic that exists and is not empty is refused unless --recreate (deletes it first), --empty (deletes its ' +
    'records; both after checking that every live record is in the backup) or --append. Times are RFC 3339 with a zone and are held against each record by its ' +
    'own timestamp. The last line is RESTORED or NOT RESTORED with the id of the restore.',
  examples: [
    ['varve restore --topic orders --dry-run', 'what would be done'],
    ['varve restore --topic orders --from-time 2026-11-01T00:00Z', 'from a moment on'],
    [
      'varve restore --topic orders --to-topic orders.check --no-groups',
      'beside the live topic, to look at it',
    ],
    ["varve restore --topic 'shop.*' --recreate", 'several, over what is there'],
    [
      'varve restore --all-topics --snapshot daily.1 --target dr --yes --json',
      'into another cluster, for programs',
    ],
  ],
  options: restoreOptions,
  needs: [],
  drains: true,
  outlivesTerminal: true,
  async run(context) {
    const request = requestOf(context.args);
    checkChoice(request);
    throttleOf(context.args); // nonsense is refused before anything is connected
    const { config } = await context.loadedConfig([]);
    await using reading = startReading(context, config, request);
    await using target = await connectTarget(context, config);
    const { cluster } = target;
    return await replay(context, { name: 'restore', config, target }, async ({ warn }) => {
      await cutFirst(context, { config, cluster, request }, warn);
      const { snapshot, instance } = request;
      // Before the sources are looked at: a daemon that goes on meanwhile would claim more than was seen of them.
      const { signal, host } = context;
      const positions = await patiently(async () => ownPositions({ config, cluster }, { signal, warn }), {
        clock: host.clock,
        signal,
      });
      const backup = await openBackup(context, config, { snapshot, instance, reading, warn });
      const end = async (): Promise<number> => {
        await reading?.[Symbol.asyncDispose]();
        return reading?.openedBytes ?? 0;
      };
      const claimed = claimsOf(positions, backup.retired);
      return { request, backup, claimed, end };
    });
  },
};

/** With a daemon that follows this very cluster: what is committed now belongs to the backup, too. */
async function cutFirst(
  { host, signal, err }: CommandContext,
  { config, cluster, request }: Followed & { request: RestoreRequest },
  warn: (message: string) => void,
): Promise<void> {
  if (config.local.dir === undefined || request.snapshot !== undefined) return;
  const folder = localFolderOf(config);
  if ((await readIdentity(host.disk, folder))?.cluster !== cluster.clusterId) return;
  try {
    const onEvent = (event: DaemonEvent | OrderWaits): void => {
      if (event.type === 'order-waits') err(waitingText(event));
    };
    await askDaemon(host, folder, { command: 'backup', snapshot: false }, { signal, onEvent });
  } catch (error) {
    if (signal.aborted) throw error;
    warn(`the daemon could not be asked to save what is committed now: ${messageOf(error)}`);
  }
}

interface Followed {
  readonly config: Config;
  readonly cluster: Cluster;
}

interface Asking {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/** A cluster that does not know the group is not asked for it: a fresh one has no coordinator yet. */
async function ownPositions(
  { cluster, config }: Followed,
  { signal, warn }: Asking,
): Promise<CommittedOffset[]> {
  const { groupId } = config.kafka;
  try {
    const isThere = (await cluster.groupNames({ signal })).includes(groupId);
    return isThere ? await cluster.committedOffsets(groupId, { signal }) : [];
  } catch (error) {
    if (!(error instanceof VarveError) || error.code !== 'kafka-refused') throw error;
    warn(`what was saved and is not at hand cannot be told: ${error.message}`);
    return [];
  }
}
