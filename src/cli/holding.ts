import { VarveError } from '../errors.ts';
import { localFolderOf, type Config } from '../config/config.ts';
import { LocalFolder, readIdentity, type Serve } from '../local/local.ts';
import type { CommandContext } from './command.ts';

/** Whoever holds the local folder holds the repository's lock, too: nobody takes it from a cycle that runs. */
export async function holdLocalFolder(
  { host }: CommandContext,
  config: Config,
  command: string,
): Promise<LocalFolder> {
  return await LocalFolder.open(host, localFolderOf(config), {
    instance: config.instance,
    serve: serveHolding(command),
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

/** Says who it is, and takes no orders. */
export function serveHolding(command: string): Serve {
  return async (request, reply) => {
    if (typeof request === 'object' && request !== null && Reflect.get(request, 'command') === 'who')
      return reply({ process: process.pid, command });
    const message = `the local folder is held by process ${process.pid}, varve ${command}, which takes no orders`;
    const hint = 'wait until it has ended, then run the command again';
    reply({ error: { code: 'locked', message, hint } });
  };
}
