import { localFolderOf } from '../config/config.ts';
import { initLocalFolder, readIdentity, type Identity } from '../local/local.ts';
import type { Command, CommandContext } from './command.ts';

export const command: Command = {
  name: 'init',
  summary: 'Make the local folder',
  description:
    'Makes what is missing and says what was there already; harmless when repeated. Needs no broker, and never makes a ' +
    'key. run and backup do the same by themselves.',
  examples: [
    ['varve init', 'with what ./varve.yaml says'],
    ['varve init --set local.dir=/var/lib/varve --json', 'elsewhere, for programs'],
  ],
  needs: ['local.dir'],
  async run(context) {
    const config = await context.config();
    const folder = localFolderOf(config);
    const before = await identityBefore(context, folder);
    const identity = await initLocalFolder(context.host, folder, config.instance);
    const isMade = before === undefined;
    if (context.json) {
      const { format: _format, ...whose } = identity;
      const local = { folder, made: isMade, ...whose };
      await context.out(JSON.stringify({ schema: 'varve.init/1', local }));
      return 0;
    }
    await context.out(`${isMade ? 'made' : 'was there'}: local folder ${folder}`);
    await context.table([
      ['installation', identity.installation],
      ['instance', identity.instance],
      ['cluster', identity.cluster ?? 'none yet: noted on the first contact'],
    ]);
    return 0;
  },
};

/** Why it cannot be read is told by the attempt to make it. */
async function identityBefore({ host }: CommandContext, folder: string): Promise<Identity | undefined> {
  try {
    return await readIdentity(host.disk, folder);
  } catch {
    return undefined;
  }
}
