import { VarveError } from '../errors.ts';
import { localFolderOf, type Config } from '../config/config.ts';
import { LocalFolder, readIdentity } from '../local/local.ts';
import type { CommandContext } from './command.ts';

/** Whoever holds the local folder holds the repository's lock, too: nobody takes it from a cycle that runs. */
export async function holdLocalFolder(
  { host }: CommandContext,
  config: Config,
  command: string,
): Promise<LocalFolder> {
  return await LocalFolder.open(host, localFolderOf(config), {
    instance: config.instance,
    serve: async (_request, reply) => reply({ process: process.pid, command }),
  });
}

/** Whose lock it is: a lock of the same installation is taken over, another's is not. */
export async function installationOf({ host }: CommandContext, config: Config): Promise<string> {
  const folder = localFolderOf(config);
  const identity = await readIdentity(host.disk, folder);
  if (identity === undefined) {
    throw new VarveError('target-unusable', `local folder ${folder} is not there, or holds no varve.json`, {
      hint: 'check local.dir; varve init makes the folder',
    });
  }
  return identity.installation;
}
