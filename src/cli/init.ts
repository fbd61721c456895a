import { localFolderOf, type Config } from '../config/config.ts';
import { initLocalFolder, readIdentity, type Identity } from '../local/local.ts';
import { sharingText, type InitResult } from '../repository/repository.ts';
import type { Command, CommandContext } from './command.ts';
import { askTarget, recall } from './repository.ts';

export const command: Command = {
  name: 'init',
  summary: 'Make the local folder and the repository',
  description:
    'Makes what is missing and says what was there already; harmless when repeated. Needs no broker, and never makes a ' +
    'key (varve key generate does). Where no repository is configured, only the local folder is made. On a ' +
    'target without hard links snapshots share one folder of packs, which is said. A folder in which this user cannot ' +
    'write ends with 13, another key than the repository was made with with 12.',
  examples: [
    ['varve init', 'with what ./varve.yaml says'],
    ['varve init --set local.dir=/var/lib/varve --json', 'elsewhere, for programs'],
  ],
  needs: ['local.dir'],
  async run(context) {
    const before = await context.config();
    const hasRepository = before.repository.dir !== undefined;
    const { config } = hasRepository
      ? await context.loadedConfig(['local.dir', 'repository'])
      : { config: before };
    const folder = localFolderOf(config);
    const isNew = (await identityBefore(context, folder)) === undefined;
    const identity = await initLocalFolder(context.host, folder, config.instance);
    const made = hasRepository
      ? await askTarget(context, { config, order: 'init', params: { memory: await recall(context, config) } })
      : undefined;
    if (context.json) {
      const { format: _format, ...whose } = identity;
      const local = { folder, made: isNew, ...whose };
      const repository = made && repositoryDocument(config, made);
      await context.out(JSON.stringify({ schema: 'varve.init/1', local, ...(repository && { repository }) }));
      return 0;
    }
    await context.out(`${isNew ? 'made' : 'was there'}: local folder ${folder}`);
    await context.table([
      ['installation', identity.installation],
      ['instance', identity.instance],
      ['cluster', identity.cluster ?? 'none yet: noted on the first contact'],
    ]);
    if (made === undefined) return 0;
    const { repository, clusters } = made.identity;
    const done = made.wasThere ? 'completed' : 'made';
    await context.out(`${made.isMade ? done : 'was there'}: repository ${config.repository.dir ?? ''}`);
    await context.table([
      ['repository', repository],
      ['clusters', clusters.length === 0 ? 'none yet: noted by the first cycle' : clusters.join(', ')],
      ['slot', made.slot],
    ]);
    if (made.isShared) await context.out(`note: ${sharingText(config.instance)}`);
    return 0;
  },
};

function repositoryDocument(config: Config, { identity, isMade, slot, isShared }: InitResult): object {
  const { repository, created, clusters } = identity;
  return {
    folder: config.repository.dir,
    made: isMade,
    repository,
    created,
    clusters,
    slot,
    sharesPacks: isShared,
  };
}

/** Why it cannot be read is told by the attempt to make it. */
async function identityBefore({ host }: CommandContext, folder: string): Promise<Identity | undefined> {
  try {
    return await readIdentity(host.disk, folder);
  } catch {
    return undefined;
  }
}
